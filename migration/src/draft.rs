//! Builders with which the steps describe new tables: columns, keys and indexes, with derived names. Frozen like the
//! steps themselves.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, string, string_null};

fn id() -> ColumnDef {
    ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key().to_owned()
}

/// Returns a text column, not null, that accepts only the given codes.
pub(crate) fn code(name: &'static str, codes: &[&'static str]) -> ColumnDef {
    string(name).check(Expr::col(name).is_in(codes.iter().copied())).to_owned()
}

/// Returns a nullable text column that accepts only the given codes.
pub(crate) fn code_null(name: &'static str, codes: &[&'static str]) -> ColumnDef {
    string_null(name).check(Expr::col(name).is_null().or(Expr::col(name).is_in(codes.iter().copied()))).to_owned()
}

/// A table being described. The names of its constraints and indexes derive from `name`.
pub(crate) struct Draft {
    pub(crate) name: &'static str,
    table: TableCreateStatement,
    indexes: Vec<IndexCreateStatement>,
}

impl Draft {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, table: Table::create().table(name).to_owned(), indexes: Vec::new() }
    }

    pub(crate) fn with_id(name: &'static str) -> Self {
        Self::new(name).col(id())
    }

    pub(crate) fn col(mut self, column: impl IntoColumnDef) -> Self {
        self.table.col(column);
        self
    }

    /// Adds a foreign key, not null. Rows are deleted together with the row that they refer to.
    pub(crate) fn belongs_to(mut self, column: &'static str, table: &'static str) -> Self {
        self.foreign_key(column, table, ForeignKeyAction::Cascade);
        self.col(big_integer(column))
    }

    /// Adds a foreign key, not null. The row referred to cannot be deleted while it is in use.
    pub(crate) fn refers_to(mut self, column: &'static str, table: &'static str) -> Self {
        self.foreign_key(column, table, ForeignKeyAction::Restrict);
        self.col(big_integer(column))
    }

    /// Adds a nullable foreign key. The row referred to cannot be deleted while it is in use.
    pub(crate) fn may_refer_to(mut self, column: &'static str, table: &'static str) -> Self {
        self.foreign_key(column, table, ForeignKeyAction::Restrict);
        self.col(big_integer_null(column))
    }

    /// Adds a nullable foreign key. Rows are deleted together with the row that they refer to.
    pub(crate) fn may_belong_to(mut self, column: &'static str, table: &'static str) -> Self {
        self.foreign_key(column, table, ForeignKeyAction::Cascade);
        self.col(big_integer_null(column))
    }

    /// Adds several columns that belong together.
    pub(crate) fn with(mut self, add: fn(&mut TableCreateStatement)) -> Self {
        add(&mut self.table);
        self
    }

    /// Adds a condition that every row must satisfy.
    pub(crate) fn check(mut self, condition: &'static str) -> Self {
        self.table.check(Expr::cust(condition));
        self
    }

    fn foreign_key(&mut self, column: &'static str, table: &'static str, on_delete: ForeignKeyAction) {
        self.table.foreign_key(
            ForeignKey::create()
                .name(format!("fk_{}_{column}", self.name))
                .from(self.name, column)
                .to(table, "id")
                .on_delete(on_delete),
        );
    }

    pub(crate) fn index(mut self, columns: &[&'static str]) -> Self {
        let index = self.index_on(columns);
        self.indexes.push(index);
        self
    }

    pub(crate) fn unique(mut self, columns: &[&'static str]) -> Self {
        let index = self.index_on(columns).unique().to_owned();
        self.indexes.push(index);
        self
    }

    pub(crate) fn primary_key(mut self, columns: &[&'static str]) -> Self {
        let mut key = Index::create();
        for column in columns {
            key.col(*column);
        }
        self.table.primary_key(&mut key);
        self
    }

    fn index_on(&self, columns: &[&'static str]) -> IndexCreateStatement {
        let mut index = Index::create();
        index.name(format!("ix_{}_{}", self.name, columns.join("_"))).table(self.name);
        for column in columns {
            index.col(*column);
        }
        index
    }

    pub(crate) async fn create(self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        manager.create_table(self.table).await?;
        for index in self.indexes {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}
