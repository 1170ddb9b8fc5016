//! `monthly-figures`: on the first of the month, how far the rectification is, to the rectification offices.

use entity::schedule::Misfire;
use entity::unit::{self, Kind as UnitKind};
use entity::unit_address;
use ledger::people::policy::Principal;
use ledger::record::database::Transaction;
use ledger::record::outbox::{self, Notice};
use ledger::statistics::{self, Counted, Dimension, Only, Question};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;

use crate::job::{Job, Occasion, Report, Run};
use crate::mail::{Kind, notice};

const NAME: &str = "monthly-figures";

pub(super) const JOB: Job = Job {
    name: NAME,
    about: "每月 1 日向整改办发送整改进展数字",
    cron: "0 0 9 1 * *",
    misfire: Misfire::Latest,
    run: Run::Within {
        run: |occasion, transaction| Box::pin(run(occasion, transaction)),
        rehearse: |_, _| Box::pin(async { Ok(Report::of("按月发送，不作演练")) }),
    },
    mails: &[Kind { name: NAME, read: notice::facts, has_office: true }],
};

async fn run(occasion: &Occasion<'_>, transaction: &Transaction) -> ledger::Result<Report> {
    let day = occasion.day();
    let offices = unit::Entity::find()
        .filter(unit::Column::Kind.eq(UnitKind::RectificationOffice))
        .filter(unit::Column::RetiredOn.is_null())
        .all(transaction)
        .await?;
    let mut queued = 0;
    for office in offices {
        let addresses = unit_address::Entity::find().filter(unit_address::Column::UnitId.eq(office.id));
        let question = Question {
            within: Some(office.region_id),
            as_of: day,
            by: Dimension::Status,
            and: None,
            only: Only::default(),
            clock: None,
            wants_more: false,
            counted: Counted::Measures,
            wants_groups: false,
        };
        let total = statistics::answer(transaction, &question, &Principal::local()).await?.total;
        for row in addresses.all(transaction).await? {
            let notice = Notice {
                cause: format!("{NAME}:{}:{day}", row.address),
                kind: NAME,
                recipient: row.address,
                unit: Some(office.id),
                facts: json!({ "all": total.all, "completed": total.completed }),
                items: Vec::new(),
                case: None,
            };
            outbox::notify(transaction, &notice, (day, occasion.now)).await?;
            queued += 1;
        }
    }
    Ok(Report { queued, ..Report::of(format!("已写入发件箱 {queued} 封邮件")) })
}
