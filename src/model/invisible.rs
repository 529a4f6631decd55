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

/// Whether Unicode promises that this is no character ("noncharacters": U+FDD0 to U+FDEF, and the last two of each
/// plane).
pub(super) fn is_no_character(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

/// The line without unseen characters at its ends. A selector is unseen where it has nothing to select: at the start,
/// and after ASCII.
pub fn trim_unseen(line: &str) -> &str {
    let is_nothing = |c: char| is_unseen(c) || is_selector(c);
    let line = line.trim_start_matches(is_nothing);
    let bare = line.trim_end_matches(is_nothing);
    if bare.ends_with(|c: char| c.is_ascii()) { bare } else { line.trim_end_matches(is_unseen) }
}
