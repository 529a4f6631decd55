//! What a PostgreSQL server lacks for a database that must not forget what was charged.

use super::super::failure;
use crate::config::{Config, ServerUrl, Tls};
use crate::exit;
use crate::ledger;
use crate::store::{self, Inspection};
use crate::words::{Words, checks, errors};

/// So many milliseconds between its clock and this machine's are worth setting one of them. Leases go by the server's
/// clock alone, budget days by the service's.
const CLOCK_WRONG_MS: i64 = 10_000;

/// Looks at the server and the schema; returns what is well, and what does not prevent a start.
pub(super) async fn check(config: &Config, server: &ServerUrl) -> anyhow::Result<(Words, Vec<Words>)> {
    let place = config.database.url.place();
    let is_made = match store::open_reader_of(config).await {
        Ok(mut conn) => {
            super::refuse_other(config, ledger::product_of(&mut conn).await?)?;
            true
        }
        Err(store::Error::NoSchema(_)) => false,
        Err(error) => return Err(error.into()),
    };
    let seen = store::inspect(config).await?;
    if let Some(why) = &seen.reads_only {
        let error = store::Error::ReadOnly(why.as_str().into());
        return Err(failure(exit::CONFIG, errors::database(error.word(), error.to_string())));
    }
    if let Some(lacking) = &seen.lacking {
        return Err(failure(exit::CONFIG, checks::rights_lack(lacking)));
    }
    let found = match (is_made, seen.may_create) {
        (true, _) => checks::ok(&format!("{place}, PostgreSQL {}", seen.version)),
        (false, true) => checks::will_be_made(&format!("{place}, PostgreSQL {}", seen.version)),
        (false, false) => return Err(failure(exit::CONFIG, checks::MAY_NOT_CREATE)),
    };
    Ok((found, amiss(&seen, server)))
}

/// What the operator should know.
fn amiss(seen: &Inspection, server: &ServerUrl) -> Vec<Words> {
    let mut amiss = Vec::new();
    if seen.synchronous_commit == "off" {
        amiss.push(checks::COMMITS_LATE);
    }
    if !seen.fsync {
        amiss.push(checks::NO_FSYNC);
    }
    if seen.replicas > 0 && !seen.waits_for_replicas {
        amiss.push(checks::replicas_lag(seen.replicas));
    }
    if seen.clock_ahead_ms.abs() >= CLOCK_WRONG_MS {
        amiss.push(checks::clock_differs(seen.clock_ahead_ms.unsigned_abs() / 1000, seen.clock_ahead_ms > 0));
    }
    if !server.is_local() {
        match server.tls {
            _ if !seen.is_encrypted => amiss.push(checks::NOT_ENCRYPTED),
            Some(Tls::VerifyFull) => {}
            _ => amiss.push(checks::NOT_VERIFIED),
        }
    }
    amiss
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_that_a_server_lacks_is_said_and_nothing_of_one_that_lacks_none() {
        let well = Inspection {
            version: "15.3".to_owned(),
            synchronous_commit: "on".to_owned(),
            fsync: true,
            is_encrypted: true,
            may_create: true,
            ..Inspection::default()
        };
        let far: ServerUrl = "postgres://u@rds.example.com/p?sslmode=verify-full".parse().unwrap();
        let said = |seen: Inspection, server: &ServerUrl| {
            amiss(&seen, server).iter().map(|words| words.en.to_string()).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(said(well.clone(), &far), "");
        let late = Inspection { synchronous_commit: "off".to_owned(), ..well.clone() };
        assert!(said(late, &far).contains("synchronous_commit is off"));
        assert!(said(Inspection { fsync: false, ..well.clone() }, &far).contains("fsync is off"));
        let replicas = Inspection { replicas: 2, ..well.clone() };
        assert!(said(replicas.clone(), &far).contains("2 replicas"));
        assert_eq!(said(Inspection { waits_for_replicas: true, ..replicas }, &far), "");
        let clock = |ms| said(Inspection { clock_ahead_ms: ms, ..well.clone() }, &far);
        assert!(
            clock(12_000).contains("12 s ahead") && clock(-12_000).contains("12 s behind") && clock(900).is_empty()
        );
        let open = Inspection { is_encrypted: false, ..well.clone() };
        assert!(said(open.clone(), &far).contains("not encrypted"));
        let local: ServerUrl = "postgres:///p?host=/run/postgresql".parse().unwrap();
        assert_eq!(said(open, &local), "");
        let unchecked: ServerUrl = "postgres://u@rds.example.com/p".parse().unwrap();
        assert!(said(well, &unchecked).contains("sslmode=verify-full"));
    }
}
