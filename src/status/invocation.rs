//! How a command has to be typed so that it works here: with the configuration, the unit and the user that it needs.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::model::quoted;

/// The configuration that nobody has to name.
const USUAL: &str = "/etc/prefetchd/prefetchd.toml";

/// Where instances have theirs: `prefetchd@NAME` reads `NAME.toml` here.
const FOLDER: &str = "/etc/prefetchd";

/// How commands are typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invocation {
    /// The configuration, where it has to be named.
    config: Option<PathBuf>,
    /// What runs a command as the owner of the database, or of the spool where the database is on a server, if that is
    /// somebody else: `sudo -u NAME`.
    as_owner: Option<String>,
    /// Whether whoever asks is root.
    is_root: bool,
    /// The daemon's unit; none where systemd does not run it.
    unit: Option<String>,
    /// The daemon's process.
    pid: Option<i64>,
}

impl Invocation {
    /// For whoever runs this process: `path` is the configuration that was read, `pid` the daemon's process.
    pub fn here(config: &Config, path: Option<&Path>, pid: Option<i64>) -> Self {
        let me = rustix::process::geteuid();
        let owner =
            config.of_the_service().metadata().ok().map(|meta| meta.uid()).filter(|owner| *owner != me.as_raw());
        let path = path.map(|path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf()));
        Self {
            as_owner: owner.map(|owner| as_user(owner, me.is_root())),
            is_root: me.is_root(),
            unit: match pid.and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()) {
                Some(cgroup) => unit_in(&cgroup),
                None => unit_of(path.as_deref()),
            },
            config: path.filter(|path| path != Path::new(USUAL)),
            pid,
        }
    }

    /// For whoever reads a page in the browser: nobody knows who that is, so each command names the user it needs.
    pub fn for_readers(config: &Config, path: Option<&Path>, pid: i64) -> Self {
        let owner =
            config.of_the_service().metadata().map_or_else(|_| rustix::process::geteuid().as_raw(), |m| m.uid());
        Self { as_owner: Some(as_user(owner, false)), is_root: false, ..Self::here(config, path, Some(pid)) }
    }

    /// A command that only reads.
    pub fn reads(&self, args: &str) -> String {
        match &self.config {
            Some(path) => format!("prefetchd {args} --config {}", quoted(&path.to_string_lossy())),
            None => format!("prefetchd {args}"),
        }
    }

    /// A command that changes the database: by its owner, so that no file beside it belongs to somebody else.
    pub fn changes(&self, args: &str) -> String {
        match &self.as_owner {
            Some(prefix) => format!("{prefix} {}", self.reads(args)),
            None => self.reads(args),
        }
    }

    /// A text whose commands in backquotes can be pasted here. What the database says cannot know how they are typed.
    pub fn pasteable(&self, text: &str) -> String {
        const STARTS: &str = "`prefetchd ";
        let mut told = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(STARTS) {
            told.push_str(before);
            let Some((args, after)) = after.split_once('`') else {
                told.push_str(STARTS);
                rest = after;
                continue;
            };
            told.push_str(&format!("`{}`", self.typed(args)));
            rest = after;
        }
        told + rest
    }

    /// A command, as whoever reads it has to type it. What names its configuration stays.
    fn typed(&self, args: &str) -> String {
        let command = args.split(' ').next().unwrap_or_default();
        let is_told = args.split(' ').any(|arg| arg == "--config" || arg.starts_with('-') && command == arg);
        match command {
            _ if is_told => format!("prefetchd {args}"),
            "run" => self.start(),
            "budget" | "cancel" | "notify" | "pause" | "prioritize" | "resume" | "retry" => self.changes(args),
            _ => self.reads(args),
        }
    }

    /// A command as it was typed, for somebody else: sudo passes no environment on, so that it names the configuration.
    pub fn again(&self, args: &[String]) -> String {
        let is_told = args.iter().any(|arg| arg == "--config" || arg.starts_with("--config="));
        let shown = |arg: &String| match arg.trim_start_matches('-') {
            // An option is no name that begins with a dash.
            name if !name.is_empty() && quoted(name) == name => arg.clone(),
            _ => quoted(arg),
        };
        let typed = args.iter().map(shown).collect::<Vec<_>>().join(" ");
        if is_told { format!("prefetchd {typed}") } else { self.reads(&typed) }
    }

    /// A command that is no part of prefetchd and changes the database's files: by their owner.
    pub fn changes_files(&self, command: &str) -> String {
        match &self.as_owner {
            Some(prefix) => format!("{prefix} {command}"),
            None => command.to_owned(),
        }
    }

    /// For root, and a unit.
    #[cfg(test)]
    pub(super) fn of_root(unit: &str) -> Self {
        Self { unit: Some(unit.to_owned()), is_root: true, ..Self::default() }
    }

    /// A command as the owner of the database, where that is somebody else than who asks.
    pub fn as_owner(&self, command: &str) -> Option<String> {
        self.as_owner.as_ref().map(|prefix| format!("{prefix} {command}"))
    }

    /// A command for root.
    pub fn as_root(&self, command: &str) -> String {
        if self.is_root { command.to_owned() } else { format!("sudo {command}") }
    }

    /// Starts the daemon.
    pub fn start(&self) -> String {
        match &self.unit {
            Some(unit) => self.as_root(&format!("systemctl start {unit}")),
            None => self.changes("run"),
        }
    }

    /// Ends the daemon.
    pub fn stop(&self) -> String {
        match (&self.unit, self.pid) {
            (Some(unit), _) => self.as_root(&format!("systemctl stop {unit}")),
            (None, Some(pid)) => self.as_root(&format!("kill {pid}")),
            (None, None) => "true".to_owned(),
        }
    }

    /// Ends the daemon and starts it anew.
    pub fn restart(&self) -> String {
        match &self.unit {
            Some(unit) => self.as_root(&format!("systemctl restart {unit}")),
            None => format!("{} && {}", self.stop(), self.start()),
        }
    }

    /// Shows the end of the daemon's log.
    pub fn log(&self) -> String {
        let unit = self.unit.as_deref().unwrap_or("prefetchd");
        self.as_root(&format!("journalctl -u {unit} -e"))
    }

    /// Names the processes that have the database open: `/proc/PID/fd/N`. With `find`, which every Debian has.
    pub fn who_has_open(&self, database: &Path) -> String {
        let database = database.canonicalize().unwrap_or_else(|_| database.to_path_buf());
        let pattern = quoted(&format!("{}*", database.display()));
        self.as_root(&format!("find /proc -maxdepth 3 -path '/proc/[0-9]*/fd/*' -lname {pattern}"))
    }
}

/// A small system has no `sudo`; root has `runuser` on every one.
fn as_user(uid: u32, is_root: bool) -> String {
    let name = uzers::get_user_by_uid(uid).map(|user| user.name().to_string_lossy().into_owned());
    match (name, is_root) {
        (Some(name), true) => format!("runuser -u {} --", quoted(&name)),
        (Some(name), false) => format!("sudo -u {}", quoted(&name)),
        (None, _) => format!("sudo -u '#{uid}'"),
    }
}

/// The unit of prefetchd in a process's `/proc/PID/cgroup`.
fn unit_in(cgroup: &str) -> Option<String> {
    let mut parts = cgroup.lines().flat_map(|line| line.rsplit('/'));
    let unit = parts.find_map(|part| part.strip_suffix(".service").filter(|unit| unit.starts_with("prefetchd")))?;
    Some(unit.to_owned())
}

/// The unit that reads a configuration, by where that lies.
fn unit_of(path: Option<&Path>) -> Option<String> {
    let Some(path) = path else { return Some("prefetchd".to_owned()) };
    let stem = path.file_stem()?.to_str()?;
    match path.parent() == Some(Path::new(FOLDER)) {
        true if stem == "prefetchd" => Some(stem.to_owned()),
        true => Some(format!("prefetchd@{stem}")),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_the_configuration_the_unit_and_the_user_that_they_need() {
        let usual = Invocation { unit: Some("prefetchd".to_owned()), is_root: true, ..Invocation::default() };
        assert_eq!([usual.changes("resume"), usual.start()], ["prefetchd resume", "systemctl start prefetchd"]);
        let films = Invocation {
            config: Some("/etc/prefetchd/my films.toml".into()),
            as_owner: Some("sudo -u prefetchd".to_owned()),
            is_root: false,
            unit: Some("prefetchd@films".to_owned()),
            pid: Some(7),
        };
        assert_eq!(films.reads("hosts"), "prefetchd hosts --config '/etc/prefetchd/my films.toml'");
        assert_eq!(
            films.changes("resume"),
            "sudo -u prefetchd prefetchd resume --config '/etc/prefetchd/my films.toml'"
        );
        assert_eq!(films.restart(), "sudo systemctl restart prefetchd@films");
        let typed = |args: &[&str]| films.again(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>());
        assert_eq!(typed(&["resume"]), "prefetchd resume --config '/etc/prefetchd/my films.toml'");
        assert_eq!(typed(&["pause", "--config", "a b"]), "prefetchd pause --config 'a b'");
        let own = Invocation { config: Some("/home/me/p.toml".into()), pid: Some(7), is_root: true, ..usual };
        let own = Invocation { unit: None, ..own };
        assert_eq!(own.restart(), "kill 7 && prefetchd run --config /home/me/p.toml");
    }

    #[test]
    fn commands_in_a_text_are_typed_as_they_are_typed_here() {
        let films = Invocation {
            config: Some("/etc/prefetchd/films.toml".into()),
            as_owner: Some("sudo -u prefetchd".to_owned()),
            unit: Some("prefetchd@films".to_owned()),
            ..Invocation::default()
        };
        for (text, typed) in [
            ("no command, `code` and a lone `prefetchd ", "no command, `code` and a lone `prefetchd "),
            ("见 `prefetchd hosts`。", "见 `prefetchd hosts --config /etc/prefetchd/films.toml`。"),
            (
                "`prefetchd resume`, or `prefetchd run` makes it",
                "`sudo -u prefetchd prefetchd resume --config /etc/prefetchd/films.toml`, or \
                 `sudo systemctl start prefetchd@films` makes it",
            ),
            ("`prefetchd urls --config a.toml`", "`prefetchd urls --config a.toml`"),
            ("`prefetchd --help`", "`prefetchd --help`"),
        ] {
            assert_eq!(films.pasteable(text), typed);
            assert_eq!(films.pasteable(typed), typed, "a second time");
        }
        assert_eq!(Invocation::default().pasteable("`prefetchd hosts`"), "`prefetchd hosts`");
    }

    #[test]
    fn a_unit_is_known_by_the_daemons_group_or_else_by_its_configuration() {
        let group = "0::/system.slice/system-prefetchd.slice/prefetchd@films.service\n";
        assert_eq!(unit_in(group).as_deref(), Some("prefetchd@films"));
        assert_eq!(unit_in("0::/system.slice/prefetchd.service\n").as_deref(), Some("prefetchd"));
        assert_eq!(unit_in("0::/user.slice/user-1000.slice/session-2.scope\n"), None);
        let unit = |path: &str| unit_of(Some(Path::new(path)));
        assert_eq!(unit("/etc/prefetchd/films.toml").as_deref(), Some("prefetchd@films"));
        assert_eq!(unit("/etc/prefetchd/prefetchd.toml").as_deref(), Some("prefetchd"));
        assert_eq!((unit("/home/me/p.toml"), unit_of(None).as_deref()), (None, Some("prefetchd")));
    }
}
