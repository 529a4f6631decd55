//! What goes to the terminal. A pipe that closes early ends the output, not the program.

use std::io::{IsTerminal as _, Write as _};

/// A line on standard output.
pub(super) fn out(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A line on standard error.
pub(super) fn err(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Whether to colour standard output.
pub(super) fn colours() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A bar for a share of a whole, such as `[#####---------------]`.
pub(super) fn bar(part: i64, whole: i64, width: usize) -> String {
    let share = if whole > 0 { (part as f64 / whole as f64).clamp(0.0, 1.0) } else { 0.0 };
    let full = (share * width as f64).round() as usize;
    format!("[{}{}]", "#".repeat(full), "-".repeat(width - full))
}

/// A number with its thousands apart: `12,345`.
pub(super) fn number(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::from(if n < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_bars_are_readable() {
        assert_eq!([0, 999, 1_000, -1_234_567].map(number), ["0", "999", "1,000", "-1,234,567"]);
        assert_eq!(bar(1, 4, 8), "[##------]");
        assert_eq!(bar(9, 0, 2), "[--]");
    }
}
