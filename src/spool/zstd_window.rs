//! How much memory a zstd frame asks for, read from its header (RFC 8878, 3.1.1 and 3.1.2).

/// The window of the first frame that holds data, in MiB, if its header is among these bytes and names one.
pub(super) fn window_mib(mut bytes: &[u8]) -> Option<u64> {
    while let [0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d, ..] = bytes {
        let length = usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).ok()?;
        bytes = bytes.get(length.checked_add(8)?..)?;
    }
    let [0x28, 0xb5, 0x2f, 0xfd, descriptor, window, ..] = bytes else { return None };
    let is_single_segment = descriptor & 0x20 != 0;
    let (exponent, mantissa) = (window >> 3, u64::from(window & 7));
    let base = 1_u64 << (10 + exponent);
    (!is_single_segment).then(|| (base + base / 8 * mantissa) >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_of_the_first_frame_is_read_behind_skippable_ones() {
        let long = [0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x88, 0x9d];
        assert_eq!(window_mib(&long), Some(128));
        let skippable = [0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4];
        assert_eq!(window_mib(&[&skippable[..], &long].concat()), Some(128));
        assert_eq!(window_mib(b"text"), None);
        assert_eq!(window_mib(&skippable), None);
    }
}
