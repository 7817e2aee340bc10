//! Lists the objects and uploads in a bucket.

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

use super::Store;
use crate::objects::{ObjectError, ObjectInfo};

impl Store {
    /// Streams the objects whose keys have this prefix page by page, sorted by key, because a bucket may contain more
    /// than fits into memory.
    pub fn pages<'a>(&'a self, beginning: &'a str) -> BoxStream<'a, Result<Vec<ObjectInfo>, ObjectError>> {
        let pages = self
            .client
            .list_objects_v2()
            .bucket(&self.target.bucket)
            .prefix(self.full(beginning))
            .into_paginator()
            .send();
        futures::stream::unfold(pages, |mut pages| async move { pages.next().await.map(|page| (page, pages)) })
            .map(move |page| {
                let page = page.map_err(self.failed("list objects", beginning))?;
                let info = |o: &aws_sdk_s3::types::Object| {
                    Some(ObjectInfo {
                        key: o.key()?.strip_prefix(&self.target.prefix)?.to_owned(),
                        bytes: o.size().and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
                        etag: o.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
                    })
                };
                Ok(page.contents().iter().filter_map(info).collect())
            })
            .boxed()
    }

    /// All objects whose keys have this prefix, sorted by key.
    pub async fn list(&self, beginning: &str) -> Result<Vec<ObjectInfo>, ObjectError> {
        self.pages(beginning).try_concat().await
    }

    /// Uploads under keys with this prefix that were neither completed nor aborted: (key, upload). Empty for stores
    /// that cannot list them.
    pub async fn uploads(&self, beginning: &str) -> Result<Vec<(String, String)>, ObjectError> {
        let (mut found, mut after) = (Vec::new(), (None, None));
        loop {
            let (key, upload) = after;
            let request = self
                .client
                .list_multipart_uploads()
                .bucket(&self.target.bucket)
                .prefix(self.full(beginning))
                .set_key_marker(key)
                .set_upload_id_marker(upload);
            let page = match request.send().await {
                Ok(page) => page,
                Err(e) if e.raw_response().is_some_and(|r| r.status().as_u16() == 501) => return Ok(found),
                Err(e) => return Err(self.failed("list uploads", beginning)(e)),
            };
            let name = |u: &aws_sdk_s3::types::MultipartUpload| {
                let key = u.key()?.strip_prefix(&self.target.prefix)?.to_owned();
                Some((key, u.upload_id()?.to_owned()))
            };
            found.extend(page.uploads().iter().filter_map(name));
            if page.is_truncated != Some(true) || page.next_key_marker.is_none() {
                return Ok(found);
            }
            after = (page.next_key_marker, page.next_upload_id_marker);
        }
    }

    /// The next components of the keys with this prefix, up to their slash, which correspond to directories. Returns at
    /// most about `most`, and whether there are more.
    pub async fn folders(&self, beginning: &str, most: usize) -> Result<(Vec<String>, bool), ObjectError> {
        let full = self.full(beginning);
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.target.bucket)
            .prefix(&full)
            .delimiter("/")
            .into_paginator()
            .send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(self.failed("list objects", beginning))?;
            let name = |p: &aws_sdk_s3::types::CommonPrefix| {
                Some(p.prefix()?.strip_prefix(&full)?.trim_end_matches('/').to_owned())
            };
            found.extend(page.common_prefixes().iter().filter_map(name));
            if found.len() > most {
                found.truncate(most);
                return Ok((found, true));
            }
        }
        Ok((found, false))
    }
}
