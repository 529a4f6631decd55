//! The names of users.

/// A user's name and uid. The name is the one that the machine's name service knows (NSS), so users of a directory such
/// as LDAP have theirs too.
pub fn named(uid: u32) -> String {
    match uzers::get_user_by_uid(uid) {
        Some(user) => format!("{} (uid {uid})", user.name().to_string_lossy()),
        None => format!("uid {uid}"),
    }
}
