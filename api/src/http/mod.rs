//! Receiving requests: routes and handlers, protocols, and the limits on connections and transfers.

pub(crate) mod answer;
pub(crate) mod briefing;
mod calendar;
pub(crate) mod compression;
pub(crate) mod connections;
pub(crate) mod dossier;
pub(crate) mod events;
pub(crate) mod evidence;
pub(crate) mod export;
pub(crate) mod files;
pub(crate) mod form;
pub(crate) mod graphiql;
pub(crate) mod headers;
pub(crate) mod observe;
pub(crate) mod oidc;
pub(crate) mod places;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod resumed;
pub(crate) mod routes;
pub(crate) mod state;
pub(crate) mod thumbnail;
pub(crate) mod transfer;
pub(crate) mod unsubscribe;
pub(crate) mod upload;
pub(crate) mod websocket;
pub(crate) mod workbook;
