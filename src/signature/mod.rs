//! How a call proves its sender: pure functions from parameters, secret and time to bytes. The service's client and the
//! source that assumes roles use them; the sandbox checks with code of its own.

mod v1;
mod v3;

pub use v1::signed_form;
pub use v3::{Envelope, form, query, signed_headers};

/// Upper-case hex digits, as the rules require.
const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Whether a byte is not encoded: `A-Z a-z 0-9 - _ . ~`.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}
