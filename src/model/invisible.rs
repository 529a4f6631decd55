//! Characters that show nothing: white space of all kinds, and what Unicode calls "default ignorable".

/// Whether a character is white space.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace()
}

/// Whether a character shows nothing and is not white space: zero-width characters, direction marks, soft hyphens,
/// fillers, byte order marks (Unicode's `Default_Ignorable_Code_Point` without the variation selectors, the interlinear
/// marks, the blank of Braille).
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}')
}

/// Whether a character selects the shape of the one before it. After an ASCII letter it has nothing to select.
pub(super) fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether a character is white space or invisible.
pub(crate) fn is_unseen(c: char) -> bool {
    is_space(c) || is_invisible(c)
}

/// The line without unseen characters at its ends.
pub fn trim_unseen(line: &str) -> &str {
    line.trim_matches(is_unseen)
}
