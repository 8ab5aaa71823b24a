//! Reads the catalog: which models this Hub offers, what each needs, and on which routes.

use std::collections::HashMap;
use std::sync::Arc;

use porten_core::route::Route;
use porten_core::wire::{self, MAX_CATALOG_MODELS, MAX_MODEL_ID, Offer};
use serde::Deserialize;

/// The catalog of a Hub that was given none.
const BUILT_IN: &str = include_str!("../catalog.toml");
/// No pool of Macs has this much memory (MiB): a number above it is bytes or a slip of the keyboard.
const MAX_MEMORY_MIB: u64 = 1 << 30;
/// The model of `--dev` that any node can serve.
pub const TINY: &str = "tiny";

/// The models a Hub offers, each id once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    offers: Vec<Arc<Offer>>,
    /// The same by id.
    by_id: HashMap<String, Arc<Offer>>,
}

/// A catalog that cannot be used; each message is one whole sentence.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CatalogError {
    /// Not TOML, or not of the catalog's shape.
    #[error("the catalog does not read (line {line}): {message}")]
    Malformed {
        /// Line of the trouble, from 1.
        line: usize,
        /// What the TOML reader said.
        message: String,
    },
    /// Nothing in it.
    #[error("the catalog has no [[model]]: a Hub that offers nothing answers nobody")]
    Empty,
    /// Too much in it.
    #[error("the catalog has {0} models: the most is {MAX_CATALOG_MODELS}; leave out those that no node serves")]
    TooMany(usize),
    /// An id that clients could not write or a page could not show.
    #[error("the model id {0:?} is not 1 to {MAX_MODEL_ID} of the characters A-Z a-z 0-9 . _ : @ -")]
    Id(String),
    /// The same id twice.
    #[error("the model {0:?} stands in the catalog twice: keep one of them")]
    Twice(String),
    /// A memory need that is none.
    #[error("the model {id:?} needs {memory_mib} MiB: write its need in MiB, from 1 to {MAX_MEMORY_MIB}")]
    Memory {
        /// The model.
        id: String,
        /// What was written.
        memory_mib: u64,
    },
    /// A route the Hub does not have.
    #[error("the model {id:?} has the route {route:?}: this Hub knows /v1/chat/completions and /v1/completions")]
    Route {
        /// The model.
        id: String,
        /// What was written.
        route: String,
    },
    /// Routes were written, but none.
    #[error("the model {0:?} has no route: leave `routes` out to offer it on all")]
    NoRoute(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    model: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    memory_mib: u64,
    routes: Option<Vec<String>>,
}

impl Catalog {
    /// Reads a catalog file's text.
    ///
    /// # Errors
    /// One sentence for the person who wrote it.
    pub fn read(text: &str) -> Result<Self, CatalogError> {
        let file: File = toml::from_str(text).map_err(|error| CatalogError::Malformed {
            line: error.span().map_or(1, |span| text[..span.start].lines().count().max(1)),
            message: error.message().lines().next().unwrap_or_default().to_owned(),
        })?;
        if file.model.is_empty() {
            return Err(CatalogError::Empty);
        }
        if file.model.len() > MAX_CATALOG_MODELS {
            return Err(CatalogError::TooMany(file.model.len()));
        }
        let mut catalog = Self { offers: Vec::new(), by_id: HashMap::new() };
        for entry in file.model {
            let offer = offer(entry)?;
            if catalog.by_id.contains_key(&offer.id) {
                return Err(CatalogError::Twice(offer.id));
            }
            catalog.insert(catalog.offers.len(), offer);
        }
        Ok(catalog)
    }

    fn insert(&mut self, at: usize, offer: Offer) {
        let offer = Arc::new(offer);
        self.by_id.insert(offer.id.clone(), Arc::clone(&offer));
        self.offers.insert(at, offer);
    }

    /// The catalog of a Hub that was given none.
    ///
    /// # Errors
    /// Never: a test reads it.
    pub fn built_in() -> Result<Self, CatalogError> {
        Self::read(BUILT_IN)
    }

    /// The same, with the model that any node can serve in front.
    #[must_use]
    pub fn with_tiny(mut self) -> Self {
        self.offers.retain(|offer| offer.id != TINY);
        self.insert(0, Offer { id: TINY.to_owned(), memory_mib: 1, routes: Route::ALL.to_vec() });
        self
    }

    /// What is offered under an id.
    #[must_use]
    pub fn offer(&self, id: &str) -> Option<&Arc<Offer>> {
        self.by_id.get(id)
    }

    /// Everything that is offered, in the file's order.
    #[must_use]
    pub fn offers(&self) -> &[Arc<Offer>] {
        &self.offers
    }

    /// The same for a message to a node.
    pub(crate) fn listed(&self) -> Vec<Offer> {
        self.offers.iter().map(|offer| Offer::clone(offer)).collect()
    }

    /// The message that tells a node.
    pub(crate) fn message(&self) -> String {
        wire::write(&wire::FromHub::Catalog(wire::Catalog { models: self.listed() }))
    }
}

fn offer(entry: Entry) -> Result<Offer, CatalogError> {
    let Entry { id, memory_mib, routes } = entry;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@-".contains(&byte);
    if id.is_empty() || id.len() > MAX_MODEL_ID || !id.bytes().all(plain) {
        return Err(CatalogError::Id(id));
    }
    if memory_mib == 0 || memory_mib > MAX_MEMORY_MIB {
        return Err(CatalogError::Memory { id, memory_mib });
    }
    let routes = match routes {
        None => Route::ALL.to_vec(),
        Some(written) if written.is_empty() => return Err(CatalogError::NoRoute(id)),
        Some(written) => {
            let mut routes = Vec::with_capacity(written.len());
            for path in written {
                match Route::read(&path) {
                    Some(route) if routes.contains(&route) => {}
                    Some(route) => routes.push(route),
                    None => return Err(CatalogError::Route { id, route: path }),
                }
            }
            routes
        }
    };
    Ok(Offer { id, memory_mib, routes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_catalog_reads_and_fits_one_control_message() {
        let catalog = Catalog::built_in().unwrap().with_tiny();
        assert!(catalog.offer("deepseek-v4-flash").is_some());
        assert_eq!(catalog.offer(TINY).unwrap().memory_mib, 1);
        assert!(catalog.message().len() < wire::MAX_MESSAGE_SENT);
    }

    #[test]
    fn the_largest_legal_catalog_fits_one_control_message() {
        let text: String = (0..MAX_CATALOG_MODELS)
            .map(|n| format!("[[model]]\nid = \"{n:0>MAX_MODEL_ID$}\"\nmemory_mib = {MAX_MEMORY_MIB}\n"))
            .collect();
        assert!(Catalog::read(&text).unwrap().message().len() < wire::MAX_MESSAGE_SENT);
    }

    #[test]
    fn each_mistake_is_one_sentence() {
        let one = |body: &str| Catalog::read(&format!("[[model]]\n{body}")).unwrap_err().to_string();
        let many: String =
            (0..=MAX_CATALOG_MODELS).map(|n| format!("[[model]]\nid = \"m{n}\"\nmemory_mib = 1\n")).collect();
        let said = [
            Catalog::read(&many).unwrap_err().to_string(),
            Catalog::read("").unwrap_err().to_string(),
            Catalog::read("[[model]]\nid = 3").unwrap_err().to_string(),
            one("id = \"a\"\nmemory_mib = 1\nmemroy = 2"),
            one("id = \"org/repo\"\nmemory_mib = 1"),
            one("id = \"a\"\nmemory_mib = 0"),
            one("id = \"a\"\nmemory_mib = 1\nroutes = []"),
            one("id = \"a\"\nmemory_mib = 1\nroutes = [\"/state\"]"),
            one("id = \"a\"\nmemory_mib = 1\n[[model]]\nid = \"a\"\nmemory_mib = 1"),
        ];
        for sentence in &said {
            assert!(!sentence.contains('\n') && sentence.len() < 160, "{sentence}");
        }
        assert!(said[0].contains("201") && said[0].contains("200"), "{}", said[0]);
        assert!(said[2].contains("line 2"), "{}", said[2]);
        assert!(said[7].contains("/state"), "{}", said[7]);
    }
}
