//! `oneway mkdir` and `oneway rmdir`.

use std::process::ExitCode;

use oneway::model::Remedy;
use oneway::store::{Session as _, StoreError};

use crate::args::{MkdirArgs, SingleArgs};
use crate::commands::single::{Failed, Means, apart, means};

pub(crate) fn mkdir(args: &MkdirArgs) -> anyhow::Result<ExitCode> {
    let SingleArgs { urls, connection, verbose } = &args.single;
    Means::new(connection, *verbose)?.for_each(urls, |means, place| {
        if args.parents {
            let store = means.store(place)?;
            means.connect(&store)?.make_root().map_err(Failed)?;
            return Ok(());
        }
        let (dir, path) = apart(&place)?;
        let itself = means.store(place)?;
        if means.connect(&itself)?.root_exists().map_err(Failed)? {
            let there = StoreError::of_store("create", itself.name(), Remedy::Skip, "it is there already");
            return Err(Failed(there.with_hint("with -p that is no error")).into());
        }
        let store = means.store(dir)?;
        let made = means.connect(&store)?.make_dirs(&[path]).pop();
        Ok(made.expect("one result for one directory").map_err(Failed)?)
    })
}

pub(crate) fn rmdir(args: &SingleArgs) -> anyhow::Result<ExitCode> {
    means(args)?.for_each(&args.urls, |means, place| {
        let (dir, path) = apart(&place)?;
        let store = means.store(dir)?;
        let removed = means.connect(&store)?.remove_dirs(&[path]).pop();
        Ok(removed.expect("one result for one directory").map_err(Failed)?)
    })
}
