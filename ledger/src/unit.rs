//! Units (单位): deriving kind and sector from a name, finding a unit by name or alias, and mail addresses.

use std::str::FromStr;

use email_address::EmailAddress;
use entity::responsible_party::Selector;
use entity::unit::{ActiveModel, Column, Entity, Kind, Model};
use entity::{unit_address, unit_alias};
use sea_orm::sea_query::{ExprTrait, OnConflict};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::fault::{self, Fault, FaultCode};
use crate::record::database::Transaction;
use crate::rule::name_order::name_order;
use crate::{Result, region};

/// Endings of the names of a party committee's organs, which do not name the committee itself (市委, 县委).
pub const PARTY_ORGANS: &[&str] =
    &["组织部", "宣传部", "统战部", "政法委", "编办", "党校", "网信办", "巡察办", "机关工委", "督查室"];

/// Derives the kind of a unit from its name.
pub fn kind_of(name: &str) -> Kind {
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if name.contains("整改办") || name.contains("督察整改") || name.contains("环督办") {
        Kind::RectificationOffice
    } else if ends(&["政府", "行署"]) {
        Kind::Government
    } else if ends(&["公司", "集团", "厂", "矿", "合作社"]) {
        Kind::Enterprise
    } else if ends(PARTY_ORGANS) || ends(&["市委", "县委", "区委", "党委", "纪委监委", "纪委"]) {
        Kind::PartyCommittee
    } else if ends(&[
        "局",
        "厅",
        "委",
        "委员会",
        "办",
        "办公室",
        "院",
        "中心",
        "处",
        "站",
        "支队",
        "分局",
        "银行",
        "学校",
    ]) {
        Kind::Department
    } else {
        Kind::Other
    }
}

/// Abbreviations that names of units use, with what they stand for. Longer ones come first.
const ABBREVIATIONS: &[(&str, &str)] = &[
    ("住房和城乡建设", "住房城乡建设"),
    ("住建", "住房城乡建设"),
    ("发展和改革委员会", "发展改革"),
    ("发展改革委员会", "发展改革"),
    ("发展改革委", "发展改革"),
    ("发展和改革", "发展改革"),
    ("发改委", "发展改革"),
    ("发改", "发展改革"),
    ("林业和草原", "林业草原"),
    ("林草", "林业草原"),
    ("交通运输", "交通"),
    ("工业和信息化", "工业信息化"),
    ("工信", "工业信息化"),
    ("文化和旅游", "文化旅游"),
    ("文旅", "文化旅游"),
    ("市场监督管理", "市场监管"),
    ("应急管理", "应急"),
    ("农业和农村", "农业农村"),
    ("环境保护", "生态环境"),
    ("环保", "生态环境"),
    ("城市管理综合执法", "城市管理"),
    ("城市管理", "城管"),
    ("卫生健康", "卫健"),
    ("人民政府", "政府"),
    ("委员会", "委"),
];

/// Returns what the name of a unit means without its region or level, and with abbreviations written out: names with
/// the same key within a region are likely the same unit. `places` are names of regions that a name may begin with.
pub fn name_key(name: &str, places: &[String]) -> String {
    let place = places.iter().filter(|place| name.starts_with(place.as_str())).max_by_key(|place| place.len());
    let rest = place.map_or(name, |place| &name[place.len()..]);
    let level = ["自治区", "省", "市", "州", "县", "区"].iter().find_map(|level| rest.strip_prefix(level));
    // 区 and 市 may be the only part of a name before its department; a name of one character is none.
    let rest = level.filter(|rest| rest.chars().count() > 1).unwrap_or(rest);
    let written = ABBREVIATIONS.iter().fold(rest.to_owned(), |name, (short, full)| name.replace(short, full));
    // 局 and 委 end the same department, as in 发改委 and 发改局.
    written.trim_end_matches(['局', '委']).to_owned()
}

/// Derives the sector of a unit (生态环境, 水利 …) from its name. Returns `None` if the name does not tell.
pub fn sector_of(name: &str) -> Option<&'static str> {
    const SECTORS: &[(&str, &str)] = &[
        ("生态环境", "生态环境"),
        ("林业和草原", "林草"),
        ("林草", "林草"),
        ("水利", "水利"),
        ("水务", "水利"),
        ("自然资源", "自然资源"),
        ("住房和城乡建设", "住建"),
        ("住房城乡建设", "住建"),
        ("住建", "住建"),
        ("农业农村", "农业农村"),
        ("发展改革", "发展改革"),
        ("发展和改革", "发展改革"),
        ("工业和信息化", "工信"),
        ("经济和信息化", "工信"),
        ("交通运输", "交通运输"),
        ("文化和旅游", "文旅"),
    ];
    SECTORS.iter().find(|(word, _)| name.contains(word)).map(|(_, sector)| *sector)
}

/// Returns the usual wording of a selector for several units.
pub fn selector_name(selector: Selector) -> &'static str {
    match selector {
        Selector::AllCounties => "各县（区）",
        Selector::AllDepartments => "各相关部门",
        Selector::AllTownships => "各乡镇",
    }
}

/// Returns the name of a region's government. The government also answers for the party committee of the region.
pub fn government_name(region: &str) -> String {
    format!("{region}人民政府")
}

/// Adds a unit. Its kind and sector are derived from its name.
pub async fn add(db: &Transaction, region_id: i64, name: &str) -> Result<Model> {
    let row = ActiveModel {
        region_id: Set(region_id),
        name: Set(name.to_owned()),
        name_order: Set(name_order(name)),
        kind: Set(kind_of(name)),
        sector: Set(sector_of(name).map(str::to_owned)),
        ..Default::default()
    };
    Ok(row.insert(db).await?)
}

/// Returns the government of a region. Creates it if it is missing, with its usual short names as aliases.
pub async fn ensure_government(db: &Transaction, region: &entity::region::Model) -> Result<Model> {
    let name = government_name(&region.name);
    let found = Entity::find().filter(Column::RegionId.eq(region.id)).filter(Column::Name.eq(&name)).one(db).await?;
    if let Some(unit) = found {
        return Ok(unit);
    }
    let unit = add(db, region.id, &name).await?;
    for alias in [format!("{}政府", region.name), format!("{}委、政府", region.name), region.name.clone()] {
        add_alias(db, unit.id, &alias).await?;
    }
    Ok(unit)
}

/// Adds an alias to a unit. An alias that exists already stays as it is.
pub async fn add_alias(db: &Transaction, unit_id: i64, alias: &str) -> Result<()> {
    let row = unit_alias::ActiveModel { unit_id: Set(unit_id), alias: Set(alias.to_owned()), ..Default::default() };
    unit_alias::Entity::insert(row)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(db)
        .await?;
    Ok(())
}

/// Returns the one unit with this name or alias, retired units excluded.
///
/// Units of several regions may have the same name. The code of the region before the name tells them apart:
/// `540300/市水利局`. Returns an error if there is no such unit, or more than one.
pub async fn find_by_name<C: ConnectionTrait>(db: &C, wanted: &str) -> Result<Model> {
    let (code, name) = match wanted.split_once('/') {
        Some((code, name)) => (Some(fault::single(code).unwrap_or_else(|_| code.to_owned())), name),
        None => (None, wanted),
    };
    // The name as it was typed, and as it would be stored.
    let plain = fault::single_name(name).unwrap_or_else(|_| name.to_owned());
    let names = [name, plain.as_str()];
    let others = unit_alias::Entity::find().filter(unit_alias::Column::Alias.is_in(names)).all(db).await?;
    let aliased: Vec<i64> = others.into_iter().map(|alias| alias.unit_id).collect();
    let mut query = Entity::find()
        .filter(Column::RetiredOn.is_null())
        .filter(Column::Name.is_in(names).or(Column::Id.is_in(aliased)));
    if let Some(code) = code {
        let region = region::find(db, &code).await?.ok_or_else(|| region::no_such_code(&code, &["unit"]))?;
        query = query.filter(Column::RegionId.eq(region.id));
    }
    let mut found = query.order_by_asc(Column::Id).all(db).await?;
    // A full name takes precedence over the alias of another unit.
    if found.iter().any(|unit| names.contains(&unit.name.as_str())) {
        found.retain(|unit| names.contains(&unit.name.as_str()));
    }
    match found.as_slice() {
        [unit] => Ok(unit.clone()),
        [] => {
            let zh = format!("没有名为“{name}”的单位：请用 `rectify unit list` 查看已有单位");
            let en = format!("there is no unit named “{name}”: `rectify unit list` shows the units");
            Err(Fault::new(FaultCode::NotFound, zh, en, &["unit"]).into())
        }
        several => {
            let count = several.len();
            let zh = format!("名为“{name}”的单位有 {count} 个：请在前面加行政区代码，如 540300/{name}");
            let en = format!("{count} units are named “{name}”: put the region's code before it, as in 540300/{name}");
            Err(Fault::invalid(zh, en, &["unit"]).into())
        }
    }
}

/// Replaces the mail addresses of a unit with these, in lower case.
pub(crate) async fn set_addresses(db: &Transaction, unit_id: i64, addresses: &[String]) -> Result<()> {
    let read = |address: &String| normal_address(address, &["addresses"]);
    let addresses: Vec<String> = addresses.iter().map(read).collect::<Result<_, Fault>>()?;
    unit_address::Entity::delete_many().filter(unit_address::Column::UnitId.eq(unit_id)).exec(db).await?;
    if addresses.is_empty() {
        return Ok(());
    }
    let rows = addresses.into_iter().map(|address| unit_address::ActiveModel {
        unit_id: Set(unit_id),
        address: Set(address),
        ..Default::default()
    });
    unit_address::Entity::insert_many(rows)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(db)
        .await?;
    Ok(())
}

/// Returns a mail address in lower case, or a fault at `path` if the text is not a mail address or has a hidden
/// character. What is taken here is taken by mail servers, too: the name has at most 64 characters and no empty parts,
/// and the domain is a host name, which may be in Chinese (`生态环境.中国`).
pub fn normal_address(address: &str, path: &[&str]) -> Result<String, Fault> {
    let malformed = || {
        let zh = format!("“{address}”不是邮件地址，应为 名称@域名");
        Fault::invalid(zh, format!("“{address}” is not an e-mail address; the form is name@domain"), path)
    };
    let plain = fault::line(address, 1..=254, ("邮件地址", "the e-mail address"), path)?.to_lowercase();
    let (name, domain) = plain.rsplit_once('@').ok_or_else(malformed)?;
    let host = idna::domain_to_ascii_strict(domain).map_err(|_| malformed())?;
    let is_plain = !name.contains(|letter: char| fault::is_blank(letter) || "<>(),;:\"\\[]@".contains(letter));
    if !is_plain || !host.contains('.') || EmailAddress::from_str(&format!("{name}@{host}")).is_err() {
        return Err(malformed());
    }
    // A domain in Chinese and the same one as its A-label (xn--…) are one address.
    Ok(format!("{name}@{}", idna::domain_to_unicode(&host).0))
}

/// Returns a mail address as it goes to mail servers: with its domain as an A-label (`xn--…`) where it is not in ASCII.
pub fn address_in_ascii(address: &str) -> String {
    let ascii = address.rsplit_once('@').and_then(|(name, domain)| {
        let host = idna::domain_to_ascii_strict(domain).ok()?;
        Some(format!("{name}@{host}"))
    });
    ascii.unwrap_or_else(|| address.to_owned())
}

/// Checks whether the name of a mail address is not in ASCII, so that only mail servers with SMTPUTF8 take it.
pub(crate) fn is_international(address: &str) -> bool {
    address.rsplit_once('@').is_some_and(|(name, _)| !name.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_kind_and_the_line_of_work() {
        for (name, kind, sector) in [
            ("市委组织部", Kind::PartyCommittee, None),
            ("市纪委监委", Kind::PartyCommittee, None),
            ("市生态环境局", Kind::Department, Some("生态环境")),
            ("市发展改革委", Kind::Department, Some("发展改革")),
            ("云溪县人民政府", Kind::Government, None),
            ("云溪市生态环境保护督察整改办", Kind::RectificationOffice, Some("生态环境")),
            ("国网云川电力有限公司", Kind::Enterprise, None),
        ] {
            assert_eq!((kind_of(name), sector_of(name)), (kind, sector), "{name}");
        }
    }

    #[test]
    fn addresses_are_normalised_or_refused() {
        let read = |given: &str| normal_address(given, &["address"]);
        assert_eq!(read(" Office@Example.CN ").unwrap(), "office@example.cn");
        assert_eq!(read("\u{feff}office@example\u{200b}.cn\r\n").unwrap(), "office@example.cn");
        for bad in [
            "",
            "office",
            "@example.cn",
            "a@b",
            "a b@example.cn",
            "a@example.cn\nbcc:x@y.cn",
            "a@b@c.cn",
            "a\u{202e}@example.cn",
            "甲 <a@b.cn>",
            "z..y@example.cn",
            "z.@example.cn",
            "z@-example.cn",
            "z@example-.cn",
            "z@exa_mple.cn",
            &format!("{}@example.cn", "z".repeat(65)),
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        // A domain in Chinese is one with its A-label, as which it goes out.
        assert_eq!(read("o@生态环境.中国").unwrap(), "o@生态环境.中国");
        assert_eq!(address_in_ascii("o@生态环境.中国"), "o@xn--0ns37o3xr9kb.xn--fiqs8s");
        assert_eq!(read(&address_in_ascii("o@生态环境.中国")).unwrap(), "o@生态环境.中国");
        assert_eq!(address_in_ascii("office@example.cn"), "office@example.cn");
        assert!(is_international("办公室@example.cn") && !is_international("o@生态环境.中国"));
        assert_eq!(read("办公室@example.cn").unwrap(), "办公室@example.cn");
    }
}
