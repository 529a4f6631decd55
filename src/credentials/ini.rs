//! The SDKs' ini file: a section is a key, or says how to get one.

use std::collections::BTreeMap;
use std::path::Path;

use super::chain::Chain;
use super::files::{Owners, once_more, private, unusable};
use super::way::{OidcRole, Plan, Role, Source, Way};
use super::{Error, pair};

type Section = BTreeMap<String, String>;

/// What a section means.
pub(super) fn read(path: &Path, name: &str, owners: &Owners, chain: Chain<'_>) -> Result<Plan, Error> {
    once_more(|| {
        let sections = parse(&private(path, owners)?);
        let wrong = |what: String| unusable(path, what);
        let missing = || {
            wrong(format!(
                "it has no section [{name}]; [credentials] profile or ALIBABA_CLOUD_PROFILE may name another one"
            ))
        };
        let section = sections.get(name).ok_or_else(missing)?;
        if section.get("enable").is_some_and(|value| value.eq_ignore_ascii_case("false")) {
            return Err(wrong(format!("its section [{name}] is switched off by `enable = false`; set it to true")));
        }
        let source = Source::Ini { path: path.to_path_buf(), name: name.to_owned() };
        let file = File { path, name, section, chain, source: &source };
        Ok(Plan { way: file.way()?, source: source.clone(), files: vec![path.to_path_buf()] })
    })
}

/// Parses the sections. A value ends where a comment begins, as in Python.
fn parse(text: &str) -> BTreeMap<String, Section> {
    let mut sections = BTreeMap::<String, Section>::new();
    let mut current = None;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| name.trim()) {
            sections.entry(name.to_owned()).or_default();
            current = Some(name.to_owned());
        } else if let (Some(section), Some((name, value))) = (&current, line.split_once('=')) {
            let value = value.split('#').next().unwrap_or_default().trim();
            let section = sections.entry(section.clone()).or_default();
            section.insert(name.trim().to_ascii_lowercase(), value.to_owned());
        }
    }
    sections
}

/// A parsed file, and for whom.
struct File<'a> {
    path: &'a Path,
    name: &'a str,
    section: &'a Section,
    chain: Chain<'a>,
    source: &'a Source,
}

impl File<'_> {
    fn way(&self) -> Result<Way, Error> {
        match self.get("type").unwrap_or("access_key") {
            "access_key" | "sts" => self.key(),
            "ram_role_arn" => Ok(Way::Assumed(self.role()?, Box::new(self.key()?))),
            "ecs_ram_role" => {
                let mut metadata = self.chain.metadata()?;
                metadata.role = self.get("role_name").map(str::to_owned).or(metadata.role);
                Ok(Way::Ecs(metadata))
            }
            "oidc_role_arn" => Ok(Way::Oidc(OidcRole {
                role: self.role()?,
                provider: self.needed("oidc_provider_arn")?,
                token_file: self
                    .needed("oidc_token_file_path")
                    .or_else(|error| self.get("oidc_token_file").map(str::to_owned).ok_or(error))?
                    .into(),
            })),
            kind => Err(self.wrong(&format!(
                "has the type {kind}, which is not read; read are access_key, ram_role_arn, ecs_ram_role and \
                 oidc_role_arn"
            ))),
        }
    }

    fn key(&self) -> Result<Way, Error> {
        let names = ["access_key_id", "access_key_secret", "security_token"];
        let values = names.map(|name| self.get(name).map(str::to_owned));
        let key = pair(self.source, names, values)?;
        key.map(Way::Key).ok_or_else(|| self.wrong("has neither access_key_id nor access_key_secret; set both"))
    }

    fn role(&self) -> Result<Role, Error> {
        let arn = self.needed("role_arn")?;
        let role = self.chain.role_of(&arn, None, None);
        Ok(Role {
            session: self.get("role_session_name").map_or(role.session, str::to_owned),
            policy: self.get("policy").map(str::to_owned),
            ..role
        })
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.section.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn needed(&self, name: &str) -> Result<String, Error> {
        self.get(name)
            .map(str::to_owned)
            .ok_or_else(|| self.wrong(&format!("has no {name}, which its type needs; set it")))
    }

    fn wrong(&self, what: &str) -> Error {
        unusable(self.path, format!("its section [{}] {what}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_read_as_the_sdks_read_them() {
        let text =
            "# mine\n[ default ]\nenable = true\ntype = access_key\naccess_key_id = a b # c\n\n[x]\n; no\nA = 1\nodd\n";
        let sections = parse(text);
        assert_eq!(sections["default"]["access_key_id"], "a b");
        assert_eq!((sections["x"].len(), sections["x"]["a"].as_str()), (1, "1"));
        assert!(parse("a = b\n").is_empty());
    }
}
