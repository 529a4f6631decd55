//! What an error of a PostgreSQL server means, by its SQLSTATE (PostgreSQL's manual, appendix A), or by how the
//! connection failed.

use std::io::ErrorKind;

use super::Error;

/// The error for a code of the server, with what it said.
pub(super) fn of(code: &str, said: String) -> Error {
    match code {
        // The connection broke, the server starts, stops, or takes no more connections.
        _ if code.starts_with("08") => Error::Away(said.into()),
        "57P01" | "57P02" | "57P03" | "57P05" | "53300" | "53400" => Error::Away(said.into()),
        // A lock that was waited for, a transaction that could not be serialized, and one that the server ended.
        "55P03" | "40001" | "40P01" | "25P03" | "57014" => Error::Busy(said.into()),
        "53100" => Error::Full(said.into()),
        "XX001" | "XX002" => Error::Damaged(said.into()),
        "25006" => Error::ReadOnly(said.into()),
        "3D000" => Error::NoDatabase(said.into()),
        "42501" => Error::Rights(said.into()),
        _ if code.starts_with("28") => Error::NotLetIn(said.into()),
        _ => Error::Other(said.into()),
    }
}

/// The error for a connection that failed.
pub(super) fn of_connection(error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::Tls(error) => Error::Tls(error.to_string().into()),
        // What the certificate or the handshake lacks comes as data that is not valid.
        sqlx::Error::Io(error) if error.kind() == ErrorKind::InvalidData => Error::Tls(error.to_string().into()),
        // Not of a connection: SQLite's own, when its file is lost.
        sqlx::Error::Io(error) if error.kind() == ErrorKind::Other => Error::Other(error.into()),
        sqlx::Error::Io(error) => Error::Away(error.to_string().into()),
        error => Error::Other(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself_is_told_from_what_the_configuration_has_to_mend() {
        let word = |code: &str| of(code, "said".to_owned()).word();
        for (codes, expected) in [
            (["08006", "57P01", "57P03", "53300"].as_slice(), "away"),
            (&["55P03", "40001", "40P01", "25P03"], "locked"),
            (&["53100"], "full"),
            (&["28000", "28P01"], "not_let_in"),
            (&["3D000"], "no_database"),
            (&["42501"], "rights"),
            (&["25006"], "read_only"),
            (&["XX001"], "damaged"),
            (&["42P01", "22003", ""], "other"),
        ] {
            for code in codes {
                assert_eq!(word(code), expected, "{code}");
            }
        }
        assert!(of("57P03", String::new()).passes() && of("25006", String::new()).passes());
        assert!(!of("28P01", String::new()).passes() && !of("42P01", String::new()).passes());
        let io = |kind| of_connection(sqlx::Error::Io(std::io::Error::from(kind))).word();
        assert_eq!(
            [io(ErrorKind::ConnectionRefused), io(ErrorKind::UnexpectedEof), io(ErrorKind::TimedOut)],
            ["away"; 3]
        );
        assert_eq!([io(ErrorKind::InvalidData), io(ErrorKind::Other)], ["tls", "other"]);
    }
}
