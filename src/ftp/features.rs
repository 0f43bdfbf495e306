//! What a server says it can do (FEAT, RFC 2389), and what turned out otherwise.
//!
//! FEAT is a hint: vsftpd and Twisted leave out things that work, libunftp lists things without their facts. So a feature
//! is tried when it is listed, or when it is common enough to work unlisted; the first 500, 502 or 504 switches it off, for
//! all sessions with this server: one that didn't know would take times for exact which come from LIST.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use crate::ftp::command::Verb;
use crate::ftp::reply::Reply;

/// The features of one server, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct Features {
    /// First words of the feature lines, in upper case.
    listed: HashSet<String>,
    /// Facts that MLST offers, in lower case, and whether each is given without being asked for.
    mlst_facts: Vec<(String, bool)>,
    /// Algorithms that HASH offers, in upper case.
    hashes: Vec<String>,
    refused: Refused,
}

/// The verbs a server doesn't have, known to all sessions with it. Clones are the same set.
#[derive(Clone, Debug, Default)]
pub struct Refused(Arc<Mutex<HashSet<Verb>>>);

impl Features {
    /// Reads the reply to FEAT. A refusal leaves nothing listed.
    pub fn from_reply(reply: &Reply) -> Self {
        let mut features = Self::default();
        if !reply.is_ok() {
            return features;
        }
        for line in reply.body() {
            let line = String::from_utf8_lossy(line);
            // Some servers repeat the code (`211-MDTM`) instead of the space that RFC 2389 §3.2 asks for.
            let line = line.strip_prefix("211-").unwrap_or(&line).trim();
            let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
            let name = name.to_ascii_uppercase();
            if name == "MLST" {
                features.mlst_facts = rest
                    .split(';')
                    .map(|fact| fact.trim().to_ascii_lowercase())
                    .map(|fact| (fact.trim_end_matches('*').to_owned(), fact.ends_with('*')))
                    .filter(|(fact, _)| !fact.is_empty())
                    .collect();
            }
            if name == "HASH" {
                let names =
                    rest.split(';').map(|name| name.trim().trim_end_matches('*').to_ascii_uppercase());
                features.hashes = names.collect();
            }
            features.listed.insert(name);
        }
        features
    }

    /// Returns whether FEAT names `word`, and nothing has shown otherwise yet.
    pub fn lists(&self, word: &str) -> bool {
        self.listed.contains(word) && Verb::parse(word.as_bytes()).is_none_or(|verb| self.may(verb))
    }

    /// Makes what is refused here and what is in `known` one and the same.
    pub fn share(&mut self, known: &Refused) {
        let own = std::mem::replace(&mut self.refused, known.clone());
        let own = std::mem::take(&mut *own.0.lock().expect("no holder panics"));
        known.0.lock().expect("no holder panics").extend(own);
    }

    /// Returns whether `verb` hasn't been refused yet.
    pub fn may(&self, verb: Verb) -> bool {
        !self.refused.0.lock().expect("no holder panics").contains(&verb)
    }

    /// Remembers that the server doesn't have `verb`.
    pub fn refuse(&mut self, verb: Verb) {
        self.refused.0.lock().expect("no holder panics").insert(verb);
    }

    /// Returns whether MLSD and MLST are there. A server that has MLST has MLSD (RFC 3659 §7.8).
    pub fn has_mlsd(&self) -> bool {
        (self.listed.contains("MLST") || self.listed.contains("MLSD")) && self.may(Verb::Mlsd)
    }

    /// Returns whether MLST offers this fact, named in lower case.
    pub fn has_fact(&self, fact: &str) -> bool {
        self.mlst_facts.iter().any(|(name, _)| name == fact)
    }

    /// Returns whether MLST gives this fact without being asked for it.
    pub fn has_fact_by_default(&self, fact: &str) -> bool {
        self.mlst_facts.iter().any(|(name, given)| name == fact && *given)
    }

    /// Returns whether HASH offers this algorithm, named in upper case.
    pub fn has_hash(&self, name: &str) -> bool {
        self.hashes.iter().any(|offered| offered == name)
    }

    /// Returns whether nothing was listed at all.
    pub fn is_silent(&self) -> bool {
        self.listed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_read_as_servers_write_them() {
        let body = [" EPRT", " MDTM", "211-SIZE", " MLST Type*;Size*;modify*;UNIX.mode;", " rest stream"];
        let body = body.map(|line| line.as_bytes().to_vec()).to_vec();
        let mut features = Features::from_reply(&Reply::multi(211, "Features:", body, "End"));
        assert!(features.lists("SIZE") && features.lists("REST") && features.has_mlsd());
        assert!(!features.lists("MFMT"));
        assert!(features.has_fact("size") && features.has_fact_by_default("type"));
        assert!(features.has_fact("unix.mode") && !features.has_fact_by_default("unix.mode"));
        assert!(!features.has_fact("perm"));
        features.refuse(Verb::Mlsd);
        features.refuse(Verb::Size);
        assert!(!features.has_mlsd() && !features.lists("SIZE") && features.may(Verb::Mdtm));
    }

    #[test]
    fn what_one_session_learns_all_know() {
        let known = Refused::default();
        let [mut a, mut b] = [(); 2].map(|()| Features::default());
        a.refuse(Verb::Opts);
        a.share(&known);
        b.share(&known);
        assert!(!b.may(Verb::Opts) && a.may(Verb::Mlsd));
        b.refuse(Verb::Mlsd);
        assert!(!a.may(Verb::Mlsd) && !b.may(Verb::Mlsd));
    }

    #[test]
    fn a_refused_feat_lists_nothing() {
        assert!(Features::from_reply(&Reply::new(502, "no")).is_silent());
    }
}
