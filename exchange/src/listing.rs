//! How a list gets from the pod that computes it to the operator: in compressed pieces, one request each, and a last
//! request that says that this was all.

use serde::{Deserialize, Serialize};

/// Where the pod of a list posts its requests.
pub const ITEMS_PATH: &str = "/v1/items";
/// The variable with the file that the list may be written to instead of stdout.
pub const ITEMS_FILE: &str = "MAPTASK_ITEMS_FILE";
/// Most items of a list.
pub const MAX_LIST_ITEMS: u64 = 1_000_000;
/// Most bytes of the text of a list.
pub const MAX_LIST_BYTES: u64 = 128 << 20;
/// Most bytes of one item: it becomes an environment variable.
pub const MAX_ITEM_BYTES: usize = 100_000;
/// Most bytes of a piece, compressed: it has to fit into a ConfigMap.
pub const MAX_PIECE_BYTES: usize = 1_000_000;
/// Most pieces of a list.
pub const MAX_PIECES: u32 = 256;

/// Seconds between two requests of the pod of a list whose command runs.
pub const LIST_BEAT_SECONDS: u64 = 20;

/// What the operator tells the pod of a list, by the same variable as a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListConfig {
    /// The version of the exchange: 1.
    pub version: u32,
    /// Where the operator is: `https://10.96.0.7:8443`.
    pub url: String,
    /// The name that its certificate is for.
    pub server_name: String,
    /// The certificates to trust, as PEM.
    pub ca: String,
    /// How the text is split into items.
    pub format: ListFormat,
    /// The grace period of the pod.
    pub grace_seconds: u64,
}

/// How a text is split into items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListFormat {
    /// Each line is an item: a string.
    Lines,
    /// Each line is an item: any JSON.
    JsonLines,
    /// The text is one JSON array of the items.
    JsonArray,
}

/// What the pod of a list says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum ListRequest {
    /// The command still runs: at its start, and every [`LIST_BEAT_SECONDS`] from then on.
    Running,
    /// A piece of the list.
    Piece {
        /// Its number, from 0.
        number: u32,
        /// Whole lines as gzip, in base64.
        data: String,
    },
    /// All pieces were sent.
    End(ListEnd),
}

/// What a whole list is known by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListEnd {
    /// Number of pieces.
    pub pieces: u32,
    /// Number of items.
    pub items: u32,
    /// Bytes of the text, not compressed.
    pub bytes: u64,
    /// `sha256:` and the SHA-256 of the piece if there is one, and otherwise of the SHA-256 of all pieces, one after
    /// the other.
    pub hash: String,
}

/// What the operator answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListAnswer {
    /// Pieces that are stored, from the first on. The next one to send has this number: an operator that has just begun
    /// asks for all of them again.
    pub stored: u32,
    /// Whether the list is recorded as whole. The pod may end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub complete: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_a_list_say_of_which_kind_they_are() {
        assert_eq!(serde_json::to_string(&ListRequest::Running).unwrap(), r#"{"kind":"Running"}"#);
        let piece = ListRequest::Piece { number: 3, data: "H4sI".to_owned() };
        let text = serde_json::to_string(&piece).unwrap();
        assert_eq!(text, r#"{"kind":"Piece","number":3,"data":"H4sI"}"#);
        assert_eq!(serde_json::from_str::<ListRequest>(&text).unwrap(), piece);
        let end = ListEnd { pieces: 4, items: 9, bytes: 30, hash: "sha256:00".to_owned() };
        let text = serde_json::to_string(&ListRequest::End(end)).unwrap();
        assert_eq!(text, r#"{"kind":"End","pieces":4,"items":9,"bytes":30,"hash":"sha256:00"}"#);
    }
}
