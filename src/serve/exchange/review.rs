//! The request that asks the API server whose a token is.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use kube::api::PostParams;
use kube::{Api, Client};
use maptask_exchange::AUDIENCE;

use crate::plain::plain;

/// What the API server notes of a token that is bound to a pod.
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";

/// The pod that a token was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) namespace: Arc<str>,
    pub(super) pod: Arc<str>,
    pub(super) pod_uid: Arc<str>,
}

/// What the API server says of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenStatus {
    /// It is of this pod.
    Pod(Identity),
    /// It is good, and of no pod.
    NoPod,
    /// It is not good, or for somebody else.
    NotAuthenticated,
    /// That could not be found out.
    Failed,
}

impl TokenStatus {
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Pod(_) => "accepted",
            Self::NoPod => "no_pod",
            Self::NotAuthenticated => "rejected",
            Self::Failed => "failed",
        }
    }
}

/// Asks the API server. An answer that is none says nothing of the token: it could as well be our own token that is
/// bad.
pub(super) async fn review(client: &Client, token: &str) -> TokenStatus {
    let spec = TokenReviewSpec { audiences: Some(vec![AUDIENCE.to_owned()]), token: Some(token.to_owned()) };
    let review = TokenReview { spec, ..TokenReview::default() };
    let status = match Api::<TokenReview>::all(client.clone()).create(&PostParams::default(), &review).await {
        Ok(TokenReview { status: Some(status), .. }) => status,
        Ok(_) => return TokenStatus::Failed,
        Err(error) => {
            tracing::warn!(error = plain(&error), "token of a worker not reviewed");
            return TokenStatus::Failed;
        }
    };
    // One that knows no audiences names none, and means the API server's own.
    let is_for_us = status.audiences.iter().flatten().any(|audience| audience == AUDIENCE);
    if status.authenticated != Some(true) || !is_for_us {
        return TokenStatus::NotAuthenticated;
    }
    status.user.as_ref().and_then(identity).map_or(TokenStatus::NoPod, TokenStatus::Pod)
}

/// The pod of a service account's token, if it is bound to one.
fn identity(user: &UserInfo) -> Option<Identity> {
    let account = user.username.as_deref()?.strip_prefix("system:serviceaccount:")?;
    let (namespace, _account) = account.split_once(':')?;
    let extra = user.extra.as_ref()?;
    Some(Identity { namespace: namespace.into(), pod: one(extra, POD_NAME)?, pod_uid: one(extra, POD_UID)? })
}

fn one(extra: &BTreeMap<String, Vec<String>>, name: &str) -> Option<Arc<str>> {
    match extra.get(name)?.as_slice() {
        [value] if !value.is_empty() => Some(value.as_str().into()),
        _ => None,
    }
}
