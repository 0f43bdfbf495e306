//! The engine of oneway: a one-way directory mirror over FTP.
//!
//! Listing, deciding and doing are three steps with plain data between them:
//! [`scan`] reads a tree from a [`store`], [`compare`] and [`plan`] turn two trees into ordered actions without any
//! I/O, [`execute`] carries them out over several control sessions. [`run`] joins them; [`planfile`] keeps a plan for later; [`report`] turns the values
//! that come out into bytes. [`ftp`] is the protocol engine and [`server`] a small server that speaks it; neither
//! knows anything of mirroring.
//!
//! The library never prints, never reads the environment or the home directory, never exits and installs no signal
//! handler.

pub mod compare;
pub mod config;
pub mod execute;
pub mod filter;
pub mod ftp;
pub mod model;
pub mod plan;
pub mod planfile;
pub mod pool;
pub mod report;
pub mod rooted;
pub mod run;
pub mod scan;
pub mod server;
pub mod spill;
pub mod state;
pub mod store;
