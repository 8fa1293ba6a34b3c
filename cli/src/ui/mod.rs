//! `kubectl maptask ui`: a page on 127.0.0.1 with the user's kubeconfig. docs/reference/page.md describes it.
//!
//! - [`guard`] decides who may ask, [`page`] which request gets what, [`server`] holds the connections.
//! - [`follow_list`] and [`follow_task`] watch, [`outbox`] is what a page has yet to read, [`wire`] the shapes.
//! - [`items`], [`about`] and [`verbs`] are single requests; [`assets`] the files.

pub mod about;
pub mod assets;
pub mod browser;
pub mod follow_list;
pub mod follow_task;
pub mod guard;
pub mod items;
pub mod latest;
pub mod outbox;
pub mod page;
#[cfg(test)]
mod palette;
pub mod reply;
pub mod server;
pub mod verbs;
pub mod wire;

use std::sync::Arc;

use crate::app::App;
use crate::error::{Exit, Failure};
use crate::read::list::Scope;
use page::{Changes, Page};

/// A page that shows tasks live, on 127.0.0.1 of this machine
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Tasks of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    port: u16,
    /// The page changes nothing
    #[arg(long)]
    read_only: bool,
    /// Print the address, and open no browser
    #[arg(long)]
    no_browser: bool,
}

/// Runs it until Ctrl-C, or SIGTERM.
pub async fn run(app: &mut App, args: &Args) -> Result<Exit, Failure> {
    let scope = if args.all_namespaces { Scope::All } else { Scope::Namespace };
    let changes = if args.read_only { Changes::None } else { Changes::Allowed };
    let token = guard::Token::new().map_err(|error| Failure::from(error).at("/dev/urandom"))?;
    let taken = |error: std::io::Error| {
        Failure::new(format!("127.0.0.1:{}: {error}", args.port))
            .hint("choose another port, or --port 0 for a free one")
    };
    let listener = server::listen(args.port).await.map_err(taken)?;
    let address = listener.local_addr()?;
    let page = Arc::new(Page::new(app.session.clone(), scope, changes, token));
    let url = format!("http://{address}/#t={}", page.token().text());
    app.out.data(&url)?;
    app.out.flush()?;
    let opened = if args.no_browser { None } else { browser::open(&url) };
    let what = if opened.is_some() { "The browser opens it." } else { "Open it in a browser of this machine." };
    app.talk.say(format!("{what} Anyone with this address can use your rights on MapTasks. Press Ctrl-C to stop."));
    tokio::select! {
        () = server::serve(listener, page) => {}
        () = crate::follow::interrupted() => {}
    }
    drop(opened);
    Ok(Exit::Done)
}
