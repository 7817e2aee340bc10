//! Inserts documents as the user who owns the database.

use async_trait::async_trait;
use bson::{Document, doc};

use crate::engine::conversation::Print;
use crate::engine::documents::{DocumentBatch, Documents, RefusedDocument};
use crate::engine::mongodb::script::{Names, Script, Server};
use crate::engine::mongodb::wire::WireError;

/// Inserts all documents into this database.
pub(crate) struct InsertDocuments {
    pub database: String,
    pub documents: Documents,
}

#[async_trait]
impl Script for InsertDocuments {
    async fn run(&self, server: &mut Server, _names: &Names, _print: &Print) -> Result<(), WireError> {
        while let Some(batch) = self.documents.next().await {
            let DocumentBatch { collection, documents, places } = batch.map_err(WireError::Broken)?;
            // Unordered, so that the server inserts the others if it refuses one.
            let command = doc! { "insert": &collection, "documents": documents, "ordered": false };
            let answer = server.run(&self.database, command).await?;
            for error in errors(&answer) {
                let at = error.get_i32("index").ok().and_then(|index| usize::try_from(index).ok());
                if let Some(place) = at.and_then(|at| places.get(at)) {
                    let why = error.get_str("errmsg").unwrap_or("The server refused the document.").to_owned();
                    self.documents.refuse(RefusedDocument { place: place.clone(), why });
                }
            }
        }
        Ok(())
    }
}

/// The documents of an insert that the server refused.
fn errors(answer: &Document) -> impl Iterator<Item = &Document> {
    answer.get_array("writeErrors").into_iter().flatten().filter_map(|error| error.as_document())
}
