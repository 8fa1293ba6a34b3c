//! `-v 6`: each request to the API server in a line on standard error, as kubectl prints it. Wraps the whole stack of
//! the client, so that no line has a token or another header.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use http::{Request, Response};
use tower::{Layer, Service};

use crate::terminal::Talk;

/// From this verbosity on, requests are printed. kubectl has the same number.
pub const REQUESTS: u8 = 6;

/// Prints the requests of the service inside.
#[derive(Clone, Debug)]
pub struct PrintRequests {
    server: String,
    talk: Talk,
}

impl PrintRequests {
    /// For requests to this server. The client's requests have only a path.
    pub fn new(server: &str, talk: Talk) -> Self {
        Self { server: server.trim_end_matches('/').to_owned(), talk }
    }
}

impl<S> Layer<S> for PrintRequests {
    type Service = Printing<S>;

    fn layer(&self, inner: S) -> Printing<S> {
        Printing { inner, with: self.clone() }
    }
}

/// A service whose requests are printed.
#[derive(Clone, Debug)]
pub struct Printing<S> {
    inner: S,
    with: PrintRequests,
}

impl<S, A, B> Service<Request<A>> for Printing<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<B>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let what = format!("{} {}{}", request.method(), self.with.server, request.uri());
        let (talk, begin) = (self.with.talk, Instant::now());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await.map_err(Into::into);
            let how = match &answer {
                Ok(answer) => answer.status().to_string(),
                Err(error) => maptask::plain::plain_chain(error.as_ref()),
            };
            talk.say(format!("{what} {how} in {} ms", begin.elapsed().as_millis()));
            answer
        })
    }
}
