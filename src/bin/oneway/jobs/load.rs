//! Finds the file of jobs, reads it, and tells everything that is wrong with it.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use oneway::config::{At, JobFile, Known, Problem};
use oneway::model::escape;
use zeroize::Zeroizing;

use crate::exit::UsageError;
use crate::jobs::options::Options;
use crate::ui::say::complain;

/// A file of jobs that was read.
pub(crate) struct Loaded {
    pub(crate) path: PathBuf,
    /// The directory it is in: what relative paths in it start from.
    pub(crate) dir: PathBuf,
    pub(crate) home: Option<PathBuf>,
    pub(crate) file: JobFile,
    /// What is wrong with it.
    pub(crate) problems: Vec<Problem>,
}

/// Reads the named file, else the one that is found.
///
/// # Errors
/// Where there is none, or it can't be read.
pub(crate) fn load(named: Option<&Path>, options: &Options) -> anyhow::Result<Loaded> {
    let path = match named {
        Some(path) => path.to_owned(),
        None => find()?,
    };
    let cannot = |e: io::Error| UsageError(format!("cannot read {}: {e}", path.display()));
    let file = File::open(&path).map_err(cannot)?;
    let meta = file.metadata().map_err(cannot)?;
    if meta.is_file() && meta.len() > MOST_BYTES {
        return Err(UsageError(format!("{} is too large for a file of jobs", path.display())).into());
    }
    // With room for all of it, so that no copy of a password is left behind when it grows.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0) + 1));
    file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(cannot)?;
    let known = Known {
        keys: &options.keys,
        check: &|name, value| options.check(name, value),
        is_exposed: meta.permissions().mode() & 0o077 != 0,
    };
    let (mut file, problems) = JobFile::parse(&bytes, &known);
    let dir = std::path::absolute(&path).map_err(cannot)?;
    let dir = dir.parent().unwrap_or_else(|| Path::new("/")).to_owned();
    let home = std::env::home_dir();
    let layers = [&mut file.defaults].into_iter();
    let layers = layers.chain(file.hosts.iter_mut().map(|host| &mut host.settings));
    let layers = layers.chain(file.jobs.iter_mut().map(|job| &mut job.settings));
    layers.for_each(|settings| options.resolve(settings, &dir, home.as_deref()));
    Ok(Loaded { path, dir, home, file, problems })
}

impl Loaded {
    /// Tells each problem in a line.
    pub(crate) fn complain_of(&self, problems: &[Problem]) {
        for problem in problems {
            complain!("error: {}: {}", self.place(problem.at), problem.text);
        }
    }

    /// Returns a place in the file as editors understand it.
    pub(crate) fn place(&self, at: At) -> String {
        format!("{}:{at}", escape(self.path.as_os_str().as_encoded_bytes()))
    }
}

fn find() -> anyhow::Result<PathBuf> {
    let here = PathBuf::from("oneway.toml");
    let of_user = config_dir().map(|dir| dir.join("oneway").join("oneway.toml"));
    // One that is there and can't be read is not passed over.
    let is_there =
        |path: &Path| !matches!(fs::symlink_metadata(path), Err(e) if e.kind() == io::ErrorKind::NotFound);
    let mut places = [Some(here), of_user].into_iter().flatten();
    let found = places.clone().find(|path| is_there(path));
    found.ok_or_else(|| {
        let places: Vec<_> = places.by_ref().map(|path| path.display().to_string()).collect();
        let text =
            format!("there is no file of jobs: neither {}; name one with --config", places.join(" nor "));
        UsageError(text).into()
    })
}

/// Returns the user's config directory (XDG Base Directory Specification 0.8).
fn config_dir() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")))
}

/// Larger than any that people write by hand.
const MOST_BYTES: u64 = 4 << 20;
