mod listings;
mod serve;
mod server;
