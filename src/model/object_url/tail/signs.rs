//! Signs that belong to the text around a URL.

/// Brackets, each with its partner.
pub(super) const BRACKETS: [(char, char); 13] = [
    ('(', ')'),
    ('[', ']'),
    ('（', '）'),
    ('【', '】'),
    ('《', '》'),
    ('「', '」'),
    ('『', '』'),
    ('〈', '〉'),
    ('〔', '〕'),
    ('［', '］'),
    ('｛', '｝'),
    ('〖', '〗'),
    ('｢', '｣'),
];

/// Punctuation of a sentence; at the end of a line it belongs to the text, not to the URL.
pub(super) const SENTENCE: &[char] = &[
    ',', ';', ':', '.', '?', '|', '，', '；', '：', '。', '．', '？', '！', '、', '…', '‥', '⋯', '｜', '､', '｡', '；',
    '—', '–',
];

/// A piece of the line around a byte of it.
pub(super) fn around(line: &str, at: usize) -> &str {
    &line[line.floor_char_boundary(at.saturating_sub(12))..line.ceil_char_boundary(line.len().min(at + 20))]
}
