//! The only place that writes to standard output. A failure to write is remembered and decides the exit code in the
//! end.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::sync::Mutex;

use crate::exit;
use crate::model::Lang;
use crate::status::Invocation;
use crate::telemetry::{is_unsafe, one_line};
use crate::words::Words;
pub(super) use crate::words::number;

/// Why standard output could not be written.
static UNWRITTEN: Mutex<Option<io::Error>> = Mutex::new(None);

/// A line on standard output.
pub(super) fn out(line: &str) {
    write(&format!("{line}\n"));
}

/// Writes text to standard output at once. False if it cannot be written; then nothing after it is.
pub(super) fn write(text: &str) -> bool {
    let mut unwritten = UNWRITTEN.lock().expect("no holder of the error panics");
    if unwritten.is_none() {
        let mut stdout = io::stdout().lock();
        *unwritten = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).err();
    }
    unwritten.is_none()
}

/// The exit code of a command that ended with `code`. If the reader closed the pipe, it has seen enough; any other
/// failure to write is an error.
pub(super) fn settle(code: i32) -> i32 {
    let unwritten = UNWRITTEN.lock().expect("no holder of the error panics").take();
    code_of(unwritten.as_ref(), code)
}

/// The exit code after this write error.
pub(super) fn code_of(unwritten: Option<&io::Error>, code: i32) -> i32 {
    match unwritten {
        None => code,
        Some(error) if error.kind() == ErrorKind::BrokenPipe => 0,
        Some(error) => {
            err(&format!("prefetchd: writing to standard output: {error}"));
            exit::IO
        }
    }
}

/// A line on standard error.
pub(super) fn err(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// A value as JSON on several lines, safe to display: characters that drive a terminal or change the direction of
/// writing are escaped. They occur only inside strings, where `\u` means the same.
pub(super) fn json(value: &impl serde::Serialize) -> anyhow::Result<String> {
    let text = serde_json::to_string_pretty(value)?;
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && is_unsafe(c) {
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    Ok(safe)
}

/// When standard output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What was chosen on the command line.
static COLOUR: Mutex<Colour> = Mutex::new(Colour::Auto);

/// Chooses for the whole process.
pub(super) fn choose_colour(colour: Colour) {
    *COLOUR.lock().expect("no holder of the choice panics") = colour;
}

/// Whether standard output is coloured.
pub(super) fn colours() -> bool {
    match *COLOUR.lock().expect("no holder of the choice panics") {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}

/// The language that was chosen.
static LANG: Mutex<Lang> = Mutex::new(Lang::En);

/// Chooses the language of texts for the whole process.
pub(super) fn choose_lang(lang: Lang) {
    *LANG.lock().expect("no holder of the choice panics") = lang;
}

/// The language of texts.
pub(super) fn lang() -> Lang {
    *LANG.lock().expect("no holder of the choice panics")
}

/// How commands are typed here; none before a configuration was read.
static BY: Mutex<Option<Invocation>> = Mutex::new(None);

/// Chooses it for the whole process.
pub(super) fn choose_invocation(by: Invocation) {
    *BY.lock().expect("no holder of the choice panics") = Some(by);
}

/// A text with its commands as they are typed here.
pub(super) fn pasteable(text: &str) -> String {
    BY.lock().expect("no holder of the choice panics").as_ref().map_or_else(|| text.to_owned(), |by| by.pasteable(text))
}

/// A sentence on standard output, in the chosen language and on one line; its commands can be pasted.
pub(super) fn tell(words: &Words) {
    out(&pasteable(&one_line(words.say(lang()))));
}

/// A bar for a share, such as `[#####---------------]`.
pub(super) fn bar(part: i64, whole: i64, width: usize) -> String {
    let share = if whole > 0 { (part as f64 / whole as f64).clamp(0.0, 1.0) } else { 0.0 };
    let full = (0..width).filter(|at| *at as f64 + 0.5 <= share * width as f64).count();
    format!("[{}{}]", "#".repeat(full), "-".repeat(width - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_readable() {
        assert_eq!(bar(1, 4, 8), "[##------]");
        assert_eq!(bar(9, 0, 2), "[--]");
    }

    #[test]
    fn json_of_hostile_text_is_safe_and_says_the_same() {
        let hostile = "a\u{1b}[2J\u{7f}\u{9b}31m\u{202e}z\r\n\u{2028}";
        let text = json(&[hostile]).unwrap();
        assert!(!text.chars().any(|c| c != '\n' && is_unsafe(c)), "{text}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), [hostile]);
    }
}
