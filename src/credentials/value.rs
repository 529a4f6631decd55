//! Checks the values of a key.

/// The value without what editors, shells and other systems put around it: blanks, line ends, a byte order mark, a pair
/// of quotes.
pub(super) fn bare(text: &str) -> &str {
    let is_blank = |c: char| c.is_whitespace() || c == '\u{feff}';
    let text = text.trim_matches(is_blank);
    let inner = ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote));
    inner.map_or(text, |inner| inner.trim_matches(is_blank))
}

/// What is wrong with a value as a key, an ID or a token; none if it may be one. Such values are printable ASCII
/// without spaces or quotes. Two joined lines, another encoding, or a quote at only one end are not.
pub(super) fn oddity(value: &str) -> Option<&'static str> {
    let odd = value.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '"' | '\''))?;
    Some(match odd {
        '"' | '\'' => "has a quotation mark in it",
        c if !c.is_ascii() => "has a character in it that is no ASCII",
        c if c.is_whitespace() => "has a space in it",
        _ => "has a control character in it",
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_put_around_a_value_is_no_part_of_it() {
        for text in ["k3y", " k3y\r\n", "\"k3y\"", "\u{feff}'k3y'\u{a0}", "\u{feff} \" k3y \" \n"] {
            assert_eq!(bare(text), "k3y", "{text:?}");
        }
        assert_eq!((bare("\"k3y"), bare("\""), bare("''")), ("\"k3y", "\"", ""));
    }

    proptest! {
        /// What is accepted is one run of printable ASCII, and a key like that is accepted unchanged, whatever
        /// surrounds it.
        #[test]
        fn a_value_is_taken_whole_or_not_at_all(
            key in "[!#-&(-~]{1,40}", around in "[ \t\r\n\u{feff}]{0,4}", odd in any::<char>()
        ) {
            let dressed = format!("{around}{key}{around}");
            prop_assert_eq!(bare(&dressed), key.as_str());
            prop_assert_eq!(oddity(&key), None);
            let (head, tail) = key.split_at(key.len() / 2);
            let text = format!("{head}{odd}{tail}");
            let is_fine = odd.is_ascii_graphic() && !matches!(odd, '"' | '\'');
            prop_assert_eq!(oddity(&text).is_none(), is_fine);
        }
    }
}
