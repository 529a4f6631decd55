//! Tells a media fragment (W3C Media Fragments URI 1.0, 4.2.1) from the rest of a name: `#t=10,20` selects a part of
//! the medium, `#t=2.mp4` is a name that was not encoded.

/// Whether a fragment selects a time and nothing else: `t=10`, `t=npt:10,1:20.5`, `t=smpte-25:0:02:01`,
/// `t=clock:2009-07-26T11:19:01Z`.
pub(super) fn is_of_medium(fragment: &str) -> bool {
    let Some(times) = fragment.strip_prefix("t=") else { return false };
    let (is_time, times): (fn(&str) -> bool, &str) = match times.split_once(':') {
        Some(("npt", times)) => (is_span, times),
        Some(("smpte" | "smpte-25" | "smpte-30" | "smpte-30-drop", times)) => (is_span, times),
        Some(("clock", times)) => (is_clock, times),
        _ => (is_span, times),
    };
    match times.split_once(',') {
        None => is_time(times),
        Some(("", end)) => is_time(end),
        Some((start, end)) => is_time(start) && is_time(end),
    }
}

/// `10`, `10.5`, `10s`, `1:02:03.4`, `0:03:00:05`.
fn is_span(time: &str) -> bool {
    let time = time.strip_suffix('s').unwrap_or(time);
    let (whole, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let parts = whole.split(':').count();
    parts <= 4 && whole.split(':').all(is_number) && is_number(fraction)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `2009-07-26T11:19:01.5Z`.
fn is_clock(time: &str) -> bool {
    let is_of_clock = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'.' | b'T' | b'Z');
    time.starts_with(|c: char| c.is_ascii_digit()) && time.bytes().all(is_of_clock)
}
