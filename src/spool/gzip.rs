//! gzip files of several members, as `cat a.gz b.gz` makes them. Zeros after a member are padding (tapes, `tar`);
//! anything else that is not gzip is skipped and reported.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::bufread::GzDecoder;

/// The first byte of a member.
const MAGIC: u8 = 0x1f;

/// The text of all members.
pub(super) struct Members<R> {
    state: State<R>,
    trailing: Arc<AtomicBool>,
}

enum State<R> {
    Inside(Box<GzDecoder<R>>),
    Ended,
}

impl<R: BufRead> Members<R> {
    /// Unpacks from the reader; sets `trailing` if something that is not gzip follows the members.
    pub(super) fn new(reader: R, trailing: Arc<AtomicBool>) -> Self {
        Self { state: State::Inside(Box::new(GzDecoder::new(reader))), trailing }
    }

    /// Looks at what follows a member that ended well; reads it to the end if it is not another member.
    fn behind(&self, mut reader: R) -> io::Result<State<R>> {
        loop {
            let buffer = reader.fill_buf()?;
            let zeros = buffer.iter().take_while(|byte| **byte == 0).count();
            match buffer.get(zeros) {
                None if buffer.is_empty() => return Ok(State::Ended),
                None => reader.consume(zeros),
                Some(&MAGIC) => {
                    reader.consume(zeros);
                    return Ok(State::Inside(Box::new(GzDecoder::new(reader))));
                }
                Some(_) => {
                    self.trailing.store(true, Ordering::Relaxed);
                    io::copy(&mut reader, &mut io::sink())?;
                    return Ok(State::Ended);
                }
            }
        }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Ok(0),
                State::Inside(mut member) => {
                    let read = member.read(buffer)?;
                    if read > 0 {
                        self.state = State::Inside(member);
                        return Ok(read);
                    }
                    self.state = self.behind(member.into_inner())?;
                }
            }
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
        let ended = Members::new(reader, Arc::clone(&trailing)).read_to_end(&mut text).is_ok();
        (String::from_utf8(text).unwrap(), ended, trailing.load(Ordering::Relaxed))
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
