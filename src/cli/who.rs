//! Who types a command, for the book of orders.

use std::fs;

/// User name and uid, and on whose behalf by sudo.
pub(super) fn asks() -> String {
    let uid = rustix::process::getuid().as_raw();
    let user = match name_in(&fs::read_to_string("/etc/passwd").unwrap_or_default(), uid) {
        Some(name) => format!("{name} (uid {uid})"),
        None => format!("uid {uid}"),
    };
    match std::env::var("SUDO_USER") {
        Ok(by) if !by.is_empty() => format!("{user} by sudo from {by}"),
        _ => user,
    }
}

fn name_in(passwd: &str, uid: u32) -> Option<&str> {
    let uid = uid.to_string();
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_has_its_name_or_none() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n";
        assert_eq!([0, 1000, 1001].map(|uid| name_in(passwd, uid)), [Some("root"), Some("alice"), None]);
    }
}
