//! Work that people of the demo have done: reports with quantities, photographs, extensions, supervision, comments and
//! public notices. It is done by the acts themselves, so that nothing in the demo is what the rules forbid, and
//! everything has its history.

use std::io::Cursor;

use chrono::{DateTime, Months, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::account::{self, Role};
use entity::assignment::{self, Status};
use entity::mail::{self, MailState};
use entity::region;
use entity::supervision_action::SupervisionKind;
use image::{ImageFormat, Rgb, RgbImage};
use ledger::file::storage::{Storage, Stored};
use ledger::people::policy::{Place, Principal, Reach};
use ledger::record::audit::By;
use ledger::rule::calendar::{local_day, plus_days};
use ledger::rule::deadline::GRACE_DAYS;
use ledger::work::extension::Decision;
use ledger::work::progress::{Quantity, Report};
use ledger::work::supervision::{Interview, New};
use ledger::work::{Acting, On, close_out, comment, evidence, extension, progress, supervision};
use ledger::{Error, Result};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect};

/// How many assignments get reports, photographs and so on.
const WORKED: u64 = 12;
/// How many notices are public.
const PUBLIC: u64 = 6;
/// What is counted, with its unit.
const COUNTED: &[(&str, &str)] =
    &[("污水管网修复", "公里"), ("生态修复面积", "亩"), ("整改点位", "个"), ("垃圾清运", "吨")];
/// The pictures: names, and the colours of sky and ground.
const PICTURES: &[(&str, [u8; 3], [u8; 3])] = &[
    ("整改前.jpg", [168, 176, 184], [120, 104, 84]),
    ("施工现场.jpg", [176, 200, 222], [172, 140, 96]),
    ("整改后.jpg", [150, 200, 236], [92, 148, 88]),
];
const WIDTH: u32 = 960;
const HEIGHT: u32 = 720;

/// People of the demo who work.
struct People {
    unit: Option<By>,
    city: Option<By>,
    region: Option<By>,
    leader: Option<By>,
}

/// Lets the people of the demo do some work, at moments of the last months.
pub(crate) async fn work(db: &DatabaseConnection, storage: &Storage, now: DateTime<Utc>, zone: Tz) -> Result<()> {
    let people = People {
        unit: person(db, Role::ResponsibleUnit).await?,
        city: person(db, Role::CityOffice).await?,
        region: person(db, Role::RegionalOffice).await?,
        leader: person(db, Role::Leader).await?,
    };
    let (Some(unit), Some(city), Some(region)) = (&people.unit, &people.city, &people.region) else { return Ok(()) };
    let own = match &unit.principal.reach {
        Reach::Role { unit: Some(unit), .. } => *unit,
        _ => return Ok(()),
    };
    let at =
        |by, days: i64| Acting { db, by, now: now - TimeDelta::days(days), zone, grace_days: GRACE_DAYS, reader: None };
    let mut pictures: Vec<Stored> = Vec::new();
    let mut extensions = 0;
    let open = assignment::Entity::find()
        .filter(assignment::Column::UnitId.eq(own))
        .filter(assignment::Column::Status.eq(Status::InProgress))
        .order_by_asc(assignment::Column::Id)
        .limit(WORKED);
    for (place, row) in open.all(db).await?.into_iter().enumerate() {
        let on = || On { assignment: Some(row.id), version: None };
        report(&at(unit, 0), &row, place, now).await?;
        // Each picture is stored once; the others refer to it.
        for (picture, days) in [40, 20, 5].into_iter().enumerate().take(place % 3 + 1) {
            match pictures.get(picture) {
                Some(stored) => {
                    evidence::add(&at(unit, days), Some(row.id), stored).await?;
                }
                None => pictures.push(upload(&at(unit, days), &row, storage, picture).await?),
            }
        }
        // One request is to be endorsed, one to be approved, and one is granted.
        if let (false, Some(due), 0..3) = (matches!(place, 2 | 5 | 8), row.due_on, extensions) {
            let reason = "施工期内连续降雨，管网开挖受阻，需顺延工期。";
            let (_, id) = extension::request(&at(unit, 9), on(), plus_days(due, 60), reason).await?;
            if extensions > 0 {
                extension::decide(&at(city, 6), Some(id), Decision::Endorse, "情况属实，同意上报。").await?;
            }
            if extensions > 1 {
                extension::decide(&at(region, 4), Some(id), Decision::Approve, "同意延期，请倒排工期。").await?;
            }
            extensions += 1;
        }
        if let 2 | 5 | 8 = place {
            let kind = match place {
                5 => SupervisionKind::Supervise,
                8 => SupervisionKind::Summon,
                _ => SupervisionKind::Urge,
            };
            let answer_by = Some(plus_days(local_day(now, zone), 7));
            let document_number = (kind != SupervisionKind::Urge).then(|| format!("演示督〔{place}〕号"));
            let interview = if kind == SupervisionKind::Summon {
                Interview {
                    meeting_at: Some(now + TimeDelta::days(3)),
                    place: Some("市整改办会议室".to_owned()),
                    contact: Some("督办科 0890-0000000".to_owned()),
                }
            } else {
                Interview::default()
            };
            let reason = "进度滞后于时序要求，请加快推进并书面说明原因。".to_owned();
            let new = New { kind, reason, answer_by, document_number, interview };
            supervision::issue(&at(city, 3), on(), &new).await?;
        }
        if let (Some(leader), 0 | 3) = (&people.leader, place) {
            let text = "请市整改办盯紧此项，按月报告进展。";
            comment::write(&at(leader, 2), Some(row.measure_id), text).await?;
        }
    }
    disclose(&at(region, 1)).await?;
    // What was said then has arrived since: the outbox of the demo begins with what is due today.
    mail::Entity::update_many()
        .col_expr(mail::Column::State, Expr::value(MailState::Sent))
        .col_expr(mail::Column::SentAt, Expr::value(now - TimeDelta::days(1)))
        .filter(mail::Column::State.eq(MailState::Queued))
        .exec(db)
        .await?;
    Ok(())
}

/// Reports the work of the last three months, with a quantity that grows.
async fn report(acting: &Acting<'_>, row: &assignment::Model, place: usize, now: DateTime<Utc>) -> Result<()> {
    let (label, unit) = COUNTED[place % COUNTED.len()];
    let target = [12.0, 480.0, 36.0, 2_600.0][place % COUNTED.len()];
    for (months, share, text) in [
        (2, 0.3, "整改方案已印发，资金已落实，施工队伍进场，已完成工程量的三成。"),
        (1, 0.55, "按节点推进，主体工程过半；上月发现的两处渗漏点已修复。"),
        (0, 0.8, "主体工程基本完成，正在收尾和自查；下步组织第三方验收。"),
    ] {
        let moment = now - Months::new(months);
        let acting = Acting { now: moment, ..*acting };
        let done = (target * share * 10.0_f64).round() / 10.0;
        let quantity =
            Quantity { label: label.to_owned(), done: Some(done), target: Some(target), unit: Some(unit.to_owned()) };
        let report = Report {
            on: On { assignment: Some(row.id), version: None },
            period: local_day(moment, acting.zone).format("%Y-%m").to_string(),
            text: text.to_owned(),
            difficulties: None,
            next_steps: None,
            stated_pace: None,
            quantities: vec![quantity],
            completed_on: None,
            retracts_completion: false,
        };
        progress::report(&acting, &report).await?;
    }
    Ok(())
}

/// Makes the first running and closed notices public.
async fn disclose(acting: &Acting<'_>) -> Result<()> {
    let noticed = assignment::Entity::find()
        .join(
            JoinType::InnerJoin,
            assignment::Entity::belongs_to(entity::close_out::Entity)
                .from(assignment::Column::Id)
                .to(entity::close_out::Column::AssignmentId)
                .into(),
        )
        .filter(assignment::Column::Status.is_in([Status::Publicised, Status::Closed]))
        .order_by_asc(assignment::Column::Id)
        .limit(PUBLIC);
    for row in noticed.all(acting.db).await? {
        close_out::disclose(acting, On { assignment: Some(row.id), version: None }, true).await?;
    }
    Ok(())
}

/// Returns the first person of the demo with a role.
async fn person(db: &DatabaseConnection, role: Role) -> Result<Option<By>> {
    let found = account::Entity::find()
        .filter(account::Column::IsDemo.eq(true))
        .filter(account::Column::Role.eq(role))
        .order_by_asc(account::Column::Id)
        .one(db)
        .await?;
    let Some(found) = found else { return Ok(None) };
    let place = match found.region_id {
        Some(id) => region::Entity::find_by_id(id).one(db).await?,
        None => None,
    };
    let place = place.map(|place| Place { region: place.id, path: place.path, has_many_rows: true });
    let answers = found.unit_id.into_iter().collect();
    let reach = Reach::Role { role, place, unit: found.unit_id, answers };
    let principal = Principal {
        account: Some(found.id),
        delegate: None,
        is_read_only: false,
        is_token: false,
        reach,
        nation: None,
    };
    Ok(Some(By { principal, ..By::program() }))
}

/// Draws a picture and uploads it to an assignment.
async fn upload(acting: &Acting<'_>, row: &assignment::Model, storage: &Storage, picture: usize) -> Result<Stored> {
    let failed = |_| Error::from(DbErr::Custom("a picture of the demo could not be stored".to_owned()));
    let (name, sky, ground) = PICTURES[picture % PICTURES.len()];
    let mut bytes = Cursor::new(Vec::new());
    drawn(sky, ground).write_to(&mut bytes, ImageFormat::Jpeg).map_err(|error| failed(error.to_string()))?;
    let bytes = bytes.into_inner();
    let mut arriving = storage.receive(name, bytes.len() as u64 + 1);
    arriving.write(&bytes).await.map_err(|error| failed(error.to_string()))?;
    let arrived = arriving.finish().await.map_err(|error| failed(error.to_string()))?;
    Ok(evidence::keep(acting, Some(row.id), storage, arrived).await?.1)
}

/// Draws a sky over a ground with a row of trenches, as a photograph of a site might look from afar.
fn drawn(sky: [u8; 3], ground: [u8; 3]) -> RgbImage {
    let shaded = |colour: [u8; 3], by: i32| colour.map(|part| (i32::from(part) + by).clamp(0, 255) as u8);
    RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let horizon = 300 + (f64::from(x) / 90.0).sin() as i32 * 12 + (f64::from(x) / 37.0).cos() as i32 * 6;
        let (x, y) = (x as i32, y as i32);
        Rgb(if y < horizon {
            shaded(sky, (y - horizon) / 12)
        } else {
            let trench = (x + y / 3) % 180 < 36 && y > horizon + 60;
            shaded(ground, (horizon - y) / 14 + if trench { -38 } else { (x * 7 + y * 13) % 9 })
        })
    })
}
