//! Packed files of several members, as `cat a.gz b.gz` and `pzstd` make them. Zeros after a member are padding (tapes,
//! `tar`); anything else that is not packed likewise is skipped and reported.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::bufread::GzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

/// The first byte of a gzip member.
const GZIP_MAGIC: u8 = 0x1f;

/// How the members are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Gzip,
    /// With the largest window that is unpacked, as a power of two.
    Zstd {
        window_log_max: u32,
    },
}

/// The text of all members.
pub(super) struct Members<R: BufRead> {
    kind: Kind,
    state: State<R>,
    trailing: Arc<AtomicBool>,
}

enum State<R: BufRead> {
    Gzip(Box<GzDecoder<R>>),
    /// `is_begun`: it is known to be a frame.
    Zstd {
        frame: Box<ZstdDecoder<'static, R>>,
        is_begun: bool,
    },
    Ended,
}

impl<R: BufRead> Members<R> {
    /// Unpacks from the reader; sets `trailing` if something else follows the members.
    ///
    /// # Errors
    ///
    /// There is no memory for unpacking.
    pub(super) fn new(kind: Kind, reader: R, trailing: Arc<AtomicBool>) -> io::Result<Self> {
        let state = match kind {
            Kind::Gzip => State::Gzip(Box::new(GzDecoder::new(reader))),
            Kind::Zstd { window_log_max } => frame(reader, window_log_max, true)?,
        };
        Ok(Self { kind, state, trailing })
    }

    /// Looks at what follows a member that ended well; reads it to the end if it is not another member.
    fn behind(&self, mut reader: R) -> io::Result<State<R>> {
        loop {
            let buffer = reader.fill_buf()?;
            let zeros = buffer.iter().take_while(|byte| **byte == 0).count();
            match (buffer.get(zeros), self.kind) {
                (None, _) if buffer.is_empty() => return Ok(State::Ended),
                (None, _) => reader.consume(zeros),
                (Some(&GZIP_MAGIC), Kind::Gzip) => {
                    reader.consume(zeros);
                    return Ok(State::Gzip(Box::new(GzDecoder::new(reader))));
                }
                (Some(_), Kind::Gzip) => return self.skip(reader),
                (Some(_), Kind::Zstd { window_log_max }) => {
                    reader.consume(zeros);
                    // Its beginning, which may lie across two buffers, is left to the unpacker.
                    return frame(reader, window_log_max, false);
                }
            }
        }
    }

    fn skip(&self, mut reader: R) -> io::Result<State<R>> {
        self.trailing.store(true, Ordering::Relaxed);
        io::copy(&mut reader, &mut io::sink())?;
        Ok(State::Ended)
    }
}

fn frame<R: BufRead>(reader: R, window_log_max: u32, is_begun: bool) -> io::Result<State<R>> {
    let mut frame = ZstdDecoder::with_buffer(reader)?.single_frame();
    frame.window_log_max(window_log_max)?;
    Ok(State::Zstd { frame: Box::new(frame), is_begun })
}

/// Whether an unpacker says so of bytes that begin no frame (`ZSTD_error_prefix_unknown`).
fn begins_no_frame(error: &io::Error) -> bool {
    error.to_string().contains("Unknown frame descriptor")
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            self.state = match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Ok(0),
                State::Gzip(mut member) => {
                    let read = member.read(buffer)?;
                    if read > 0 {
                        self.state = State::Gzip(member);
                        return Ok(read);
                    }
                    self.behind(member.into_inner())?
                }
                State::Zstd { mut frame, is_begun } => match frame.read(buffer) {
                    Ok(0) => self.behind(frame.finish())?,
                    Ok(read) => {
                        // From here on an error is damage of this frame.
                        self.state = State::Zstd { frame, is_begun: true };
                        return Ok(read);
                    }
                    Err(error) if !is_begun && begins_no_frame(&error) => self.skip(frame.finish())?,
                    Err(error) => return Err(error),
                },
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacked(bytes: &[u8]) -> (String, bool, bool) {
        let trailing = Arc::new(AtomicBool::default());
        let reader = io::BufReader::with_capacity(7, io::Cursor::new(bytes.to_vec()));
        let mut text = Vec::new();
        let kind = if bytes.starts_with(&[0x1f]) { Kind::Gzip } else { Kind::Zstd { window_log_max: 25 } };
        let ended = Members::new(kind, reader, Arc::clone(&trailing)).unwrap().read_to_end(&mut text).is_ok();
        (String::from_utf8(text).unwrap(), ended, trailing.load(Ordering::Relaxed))
    }

    #[test]
    fn frames_of_zstd_are_read_likewise() {
        let packed = |text: &str| zstd::encode_all(text.as_bytes(), 3).unwrap();
        let both = [packed("one "), packed("two")].concat();
        let skippable = [0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4];
        let whole = |is_trailing: bool| ("one two".to_owned(), true, is_trailing);
        assert_eq!(unpacked(&both), whole(false));
        assert_eq!(unpacked(&[&skippable[..], &both, &skippable].concat()), whole(false));
        assert_eq!(unpacked(&[&packed("one ")[..], &skippable, &packed(""), &packed("two")].concat()), whole(false));
        assert_eq!(unpacked(&[&both[..], &[0; 1000]].concat()), whole(false));
        assert_eq!(unpacked(&[&packed("one ")[..], &[0; 9], &packed("two")].concat()), whole(false));
        for trailing in ["\r\n", "x", "PADDING and more", "(c)", "https://a.example.com/1\n"] {
            assert_eq!(unpacked(&[&both[..], trailing.as_bytes()].concat()), whole(true), "{trailing:?}");
        }
        assert_eq!(unpacked(&[&both[..], &packed("three")[..9]].concat()), ("one two".into(), false, false));
        assert!(!unpacked(&both[..both.len() - 2]).1);
    }

    #[test]
    fn members_are_read_one_after_the_other_and_padding_is_no_damage() {
        let both = [packed(b"one "), packed(b"two")].concat();
        assert_eq!(unpacked(&both), ("one two".into(), true, false));
        assert_eq!(unpacked(&[&both[..], &[0; 1000]].concat()), ("one two".into(), true, false));
        assert_eq!(
            unpacked(&[&packed(b"one ")[..], &[0; 9], &packed(b"two")].concat()),
            ("one two".into(), true, false)
        );
        assert_eq!(unpacked(&[&both[..], b"\r\n"].concat()), ("one two".into(), true, true));
        assert_eq!(unpacked(&[&both[..], &packed(b"three")[..9]].concat()), ("one two".into(), false, false));
    }
}
