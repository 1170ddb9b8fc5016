//! Views of lists that people save for themselves (我的视图).

use async_graphql::{ID, InputObject};
use planner::{Kind, SortKey, SortType, noun};

use crate::part::payload::payload;
use crate::part::scalar::Moment;

noun! {
    /// A view of a list that the caller has saved (我的视图): nobody else sees it.
    pub(crate) SavedView from "saved_view" as "savedview" {
        order: &[SortKey::column("{t}.name", "name", SortType::Text)],
        total: None
    }
    /// Global id of the view.
    id: ID = Kind::Id;
    /// Name of the view, unique among the caller's views.
    name: String = Kind::Column("name");
    /// Root field whose list it shows, such as `measures`.
    list: String = Kind::Column("list");
    /// Argument `filter` of the list, as JSON; null if all items are shown.
    filter: Option<String> = Kind::Column("filter_json");
    /// Argument `orderBy` of the list, as JSON; null if the default order is used.
    orderBy: Option<String> = Kind::Column("order_json");
    /// Paths of the fields that are shown, separated by commas, as exports take them; null if it has none of its own.
    columns: Option<String> = Kind::Column("columns");
    /// Moment at which the view was saved last.
    savedAt: Moment = Kind::Column("saved_at");
}

/// Input of `saveView`: the view to save.
#[derive(InputObject)]
pub(crate) struct SaveViewInput {
    /// Name of the view, 1 to 60 characters; a view of the same name is replaced.
    pub(crate) name: String,
    /// Root field whose list it shows, such as `measures`.
    pub(crate) list: String,
    /// Argument `filter` of the list, as the text of a JSON object, at most 8,192 bytes.
    pub(crate) filter: Option<String>,
    /// Argument `orderBy` of the list, as the text of a JSON array, at most 8,192 bytes.
    pub(crate) order_by: Option<String>,
    /// Paths of the fields that are shown, separated by commas, at most 2,000 characters.
    pub(crate) columns: Option<String>,
}

/// Input of `deleteView`: the view to delete.
#[derive(InputObject)]
pub(crate) struct DeleteViewInput {
    /// Global id of the view to delete.
    pub(crate) view_id: ID,
}

payload! {
    /// Result of `saveView`.
    SavedViewPayload {
        /// View as it is now; null if the mutation was refused.
        view: SavedView,
        /// Reasons why the mutation was refused; empty if it was carried out.
        errors
    }
}
