//! Documents that are loaded into a server by the portal itself, in batches, and those that the server refuses.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bson::Document;
use tokio::sync::mpsc;

/// Refusals that are kept. All of them are counted.
const MOST: usize = 100;

/// Where a document comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentPlace {
    /// The file.
    pub file: Arc<str>,
    /// The line on which it begins.
    pub line: u64,
}

/// Documents of one collection.
#[derive(Debug)]
pub struct DocumentBatch {
    /// The collection.
    pub collection: String,
    /// The documents.
    pub documents: Vec<Document>,
    /// Where they come from, in the same order.
    pub places: Vec<DocumentPlace>,
}

/// A document that could not be read, or that the server refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedDocument {
    /// Where it comes from.
    pub place: DocumentPlace,
    /// The reason.
    pub why: String,
}

#[derive(Debug, Default)]
struct Refused {
    count: u64,
    first: Vec<RefusedDocument>,
}

/// The documents of a load that could not be read, or that the server refused.
#[derive(Debug, Clone, Default)]
pub struct RefusedDocuments(Arc<Mutex<Refused>>);

impl RefusedDocuments {
    /// Records one.
    pub fn add(&self, document: RefusedDocument) {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refused.count += 1;
        if refused.first.len() < MOST {
            refused.first.push(document);
        }
    }

    /// Their number, and the first of them.
    pub fn all(&self) -> (u64, Vec<RefusedDocument>) {
        let refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (refused.count, refused.first.clone())
    }
}

/// The documents to load. The sender closes the channel after the last one; an error means that they are incomplete.
#[derive(Clone)]
pub struct Documents {
    batches: Arc<tokio::sync::Mutex<mpsc::Receiver<Result<DocumentBatch, String>>>>,
    refused: RefusedDocuments,
}

impl Documents {
    /// The documents received from this channel. Those that the server refuses are added to `refused`.
    pub fn new(batches: mpsc::Receiver<Result<DocumentBatch, String>>, refused: RefusedDocuments) -> Self {
        Self { batches: Arc::new(tokio::sync::Mutex::new(batches)), refused }
    }

    /// The next documents; `None` at the end.
    pub(super) async fn next(&self) -> Option<Result<DocumentBatch, String>> {
        self.batches.lock().await.recv().await
    }

    /// Ends the channel: what is still sent is not received.
    pub async fn close(&self) {
        self.batches.lock().await.close();
    }

    /// Records a document that the server refused.
    pub(super) fn refuse(&self, document: RefusedDocument) {
        self.refused.add(document);
    }
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Documents")
    }
}
