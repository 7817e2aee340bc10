//! Documents on their way to a server.

use std::sync::Arc;

use bson::Document;
use tokio::sync::mpsc;

use crate::engine::documents::{DocumentBatch, DocumentPlace, RefusedDocument, RefusedDocuments};

/// Documents sent at a time.
const DOCUMENTS: usize = 1000;
/// Bytes sent at a time; the server accepts 48 MB.
const BYTES: usize = 8 * 1024 * 1024;
/// The largest document that the server accepts.
const LARGEST: usize = 16 * 1024 * 1024;

/// Where the documents go.
#[derive(Debug)]
pub struct DocumentsOut {
    /// Those that were read.
    pub sender: mpsc::Sender<Result<DocumentBatch, String>>,
    /// Those that cannot be read.
    pub refused: RefusedDocuments,
}

/// Documents that are sent together.
pub(super) struct Batch<'a> {
    file: Arc<str>,
    collection: &'a str,
    out: &'a DocumentsOut,
    documents: Vec<Document>,
    places: Vec<DocumentPlace>,
    bytes: usize,
    /// Number of documents that were added.
    added: u64,
    /// The first document that cannot be read.
    failed: Option<RefusedDocument>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(file: &str, collection: &'a str, out: &'a DocumentsOut) -> Self {
        Self {
            file: file.into(),
            collection,
            out,
            documents: Vec::new(),
            places: Vec::new(),
            bytes: 0,
            added: 0,
            failed: None,
        }
    }

    /// Adds a document. `false`: nobody receives it any more.
    ///
    /// # Errors
    /// If it is larger than the server accepts.
    pub(super) fn add(&mut self, document: Document, line: u64) -> Result<bool, String> {
        let bytes = document.to_vec().map_err(|e| e.to_string())?.len();
        if bytes > LARGEST {
            return Err("the document is larger than 16 MiB, the maximum of MongoDB".to_owned());
        }
        if self.bytes + bytes > BYTES || self.documents.len() == DOCUMENTS {
            self.flush();
        }
        self.bytes += bytes;
        self.added += 1;
        self.documents.push(document);
        self.places.push(DocumentPlace { file: self.file.clone(), line });
        Ok(!self.out.sender.is_closed())
    }

    /// Records that a document cannot be read.
    pub(super) fn fail(&mut self, line: u64, why: String) {
        let document = RefusedDocument { place: DocumentPlace { file: self.file.clone(), line }, why };
        self.failed.get_or_insert_with(|| document.clone());
        self.out.refused.add(document);
    }

    /// The name of the collection.
    pub(super) fn collection(&self) -> &str {
        self.collection
    }

    /// Whether the file had no documents.
    ///
    /// # Errors
    /// A sentence, if none of its documents can be read.
    pub(super) fn is_empty(&self) -> Result<bool, String> {
        match &self.failed {
            Some(RefusedDocument { place, why }) if self.added == 0 => {
                Err(format!("{}, line {}: {why}.", place.file, place.line))
            }
            _ => Ok(self.added == 0),
        }
    }

    pub(super) fn flush(&mut self) {
        if self.documents.is_empty() {
            return;
        }
        let (documents, places) = (std::mem::take(&mut self.documents), std::mem::take(&mut self.places));
        self.bytes = 0;
        let batch = DocumentBatch { collection: self.collection.to_owned(), documents, places };
        // If nobody receives it any more, the server’s words give the reason.
        let _ = self.out.sender.blocking_send(Ok(batch));
    }
}
