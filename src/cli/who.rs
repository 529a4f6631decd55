//! Who gave an order, for its record.

/// User name and uid, and on whose behalf by sudo. The name is the one that the machine's name service knows (NSS), so
/// users of a directory such as LDAP have theirs too.
pub(super) fn asks() -> String {
    let uid = rustix::process::getuid().as_raw();
    let user = match uzers::get_user_by_uid(uid) {
        Some(user) => format!("{} (uid {uid})", user.name().to_string_lossy()),
        None => format!("uid {uid}"),
    };
    match std::env::var("SUDO_USER") {
        Ok(by) if !by.is_empty() => format!("{user} by sudo from {by}"),
        _ => user,
    }
}
