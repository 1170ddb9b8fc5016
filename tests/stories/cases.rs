//! Ledgers with one difficulty each, as spreadsheet programs and offices produce them: what is read, what is left out
//! and said, and what is refused with its cell.

use serde_json::{Value, json};

use crate::support::{World, stories};

stories!(
    a_later_report_that_differs_by_a_mark_is_another,
    a_number_is_the_same_in_every_width,
    a_number_is_read_as_it_is_printed,
    cells_that_show_no_value_are_refused,
    what_shows_nothing_makes_no_difference,
    a_unit_on_two_lines_is_one,
    headings_may_have_two_rows,
    rows_below_the_table_are_left_out_and_said,
    dates_are_read_as_text_and_as_values,
    dates_with_a_time_are_their_days,
    a_formula_is_its_value,
    texts_are_read_whatever_separates_and_encodes_them,
    what_cannot_be_opened_says_why,
    the_addresses_of_units_are_read_as_any_list,
    each_sheet_has_a_date_of_its_own,
    unclear_deadlines_are_asked_and_decided,
);

const HOW: [&str; 7] = ["--round", "第三轮督察", "--region", "540329", "--issued-by", "540300", "--create-units"];

fn file(name: &str) -> String {
    format!("{}/tests/ledgers/cases/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Imports a file and returns what the program said.
fn import(world: &World, name: &str) -> String {
    world.done(&[&["import", &file(name)][..], &HOW].concat())
}

/// Asserts that a file is refused with these words, and that nothing was written.
fn refused(world: &World, name: &str, words: &[&str]) {
    let ran = world.run(&[&["import", &file(name)][..], &HOW].concat());
    assert_eq!(ran.code, 1, "{name}: {}", ran.out);
    for word in words {
        assert!(ran.out.contains(word), "{name}: no “{word}” in {}", ran.out);
    }
}

/// Returns the measures of the ledger, by problem and position.
fn measures(world: &World) -> Vec<Value> {
    let query = "{ problems(first: 10) { nodes { number title measures(first: 10) { nodes {
        number content completedOn deadline { raw dueOn ongoing } leadUnit { name }
        responsibleParties(first: 10) { nodes { unit { name } } }
        assignments(first: 3) { nodes { reports(first: 5) { nodes { period text } } } } } } } } }";
    let data = world.serve().data(query, &json!({}));
    let problems = data["problems"]["nodes"].as_array().unwrap().clone();
    problems.iter().flat_map(|problem| problem["measures"]["nodes"].as_array().unwrap().clone()).collect()
}

/// Returns one field of all measures.
fn each(measures: &[Value], path: &str) -> Vec<String> {
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    measures.iter().map(|one| shown(one.pointer(path).unwrap())).collect()
}

fn a_later_report_that_differs_by_a_mark_is_another(world: &World) {
    import(world, "01a-march.xlsx");
    let said = import(world, "01b-april.xlsx");
    assert!(said.contains("1 条进展"), "{said}");
    let texts = measures(world)[0]["assignments"]["nodes"][0]["reports"]["nodes"].clone();
    let texts: Vec<&str> = texts.as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap()).collect();
    assert!(texts.contains(&"已改造管网1.5公里") && texts.contains(&"已改造管网15公里"), "{texts:?}");
    import(world, "01c-two-measures.xlsx");
    let contents = each(&measures(world), "/content");
    assert!(contents.contains(&"修复草地3.5万亩".to_owned()), "{contents:?}");
    assert!(contents.contains(&"修复草地35万亩".to_owned()), "{contents:?}");
}

fn a_number_is_the_same_in_every_width(world: &World) {
    import(world, "02a-half-width.xlsx");
    for same in ["02b-full-width.xlsx", "02c-em-dash.xlsx"] {
        let said = import(world, same);
        assert!(said.contains("没有变化"), "{same}: {said}");
    }
    assert_eq!(each(&measures(world), "/number"), ["1-1"]);
}

fn a_number_is_read_as_it_is_printed(world: &World) {
    import(world, "04-number-1.10.xlsx");
    assert_eq!(each(&measures(world), "/number"), ["1.1", "1.10"]);
    refused(world, "03-number-became-date.xlsx", &["E 列（措施序号）", "编号被表格软件改成了日期", "2026-01-01"]);
}

fn cells_that_show_no_value_are_refused(world: &World) {
    refused(world, "05-error-cells.xlsx", &["G 列（整改进展）", "#REF!", "C 列（整改任务）", "#NAME?", "错误值"]);
}

fn what_shows_nothing_makes_no_difference(world: &World) {
    for name in ["06a-clean.xlsx", "06b-zero-width-in-unit.xlsx", "06c-zero-width-in-heading.xlsx"] {
        import(world, name);
    }
    import(world, "06d-zero-width-in-deadline.xlsx");
    let units = each(&measures(world), "/leadUnit/name");
    assert_eq!(units, ["市水利局", "市水利局"]);
    assert_eq!(each(&measures(world), "/deadline/dueOn"), ["2026-12-31", "2026-12-31"]);
}

fn a_unit_on_two_lines_is_one(world: &World) {
    import(world, "07a-unit-wrapped.xlsx");
    assert_eq!(each(&measures(world), "/responsibleParties/nodes/0/unit/name"), ["市住房和城乡建设局"]);
    import(world, "07b-unit-wrapped.xlsx");
    let units = "{ units(first: 50) { nodes { name } } }";
    let units = world.serve().data(units, &json!({}))["units"]["nodes"].clone();
    let names: Vec<&str> = units.as_array().unwrap().iter().map(|unit| unit["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"市发展和改革委员会") && !names.contains(&"委员会"), "{names:?}");
}

fn headings_may_have_two_rows(world: &World) {
    import(world, "08-two-level-headings.xlsx");
    let measures = measures(world);
    assert_eq!(each(&measures, "/leadUnit/name"), ["市生态环境局", "市住房和城乡建设局", "市自然资源局"]);
    assert_eq!(each(&measures, "/deadline/dueOn"), ["2026-12-31", "2026-06-30", "null"]);
}

fn rows_below_the_table_are_left_out_and_said(world: &World) {
    for (name, words) in [
        ("09a-footer.xlsx", "第 6 行是表下说明"),
        ("09b-total.xlsx", "第 6 行是合计"),
        ("09c-heading-repeated.xlsx", "第 5 行是重复的表头"),
    ] {
        let said = import(world, name);
        assert!(said.contains(words), "{name}: {said}");
    }
    assert_eq!(each(&measures(world), "/number"), ["1", "2", "1"]);
}

fn dates_are_read_as_text_and_as_values(world: &World) {
    import(world, "10a-iso-datetime.xlsx");
    assert_eq!(each(&measures(world), "/deadline/dueOn"), ["2026-12-31", "2026-06-30", "null"]);
}

fn dates_with_a_time_are_their_days(world: &World) {
    import(world, "10b-date-with-time.ods");
    assert_eq!(each(&measures(world), "/deadline/dueOn"), ["2026-12-31", "2026-06-30", "2026-09-30"]);
}

fn a_formula_is_its_value(world: &World) {
    import(world, "12-row-formula.xlsx");
    assert_eq!(measures(world).len(), 3);
}

fn texts_are_read_whatever_separates_and_encodes_them(world: &World) {
    for (place, name) in ["13a-utf16.csv", "13b-tab-gbk.csv", "13c-semicolon.csv"].into_iter().enumerate() {
        let said = import(world, name);
        assert_eq!(said.contains("没有变化"), place > 0, "{name}: {said}");
    }
    assert_eq!(measures(world).len(), 3);
}

fn what_cannot_be_opened_says_why(world: &World) {
    refused(world, "11-password-123456.xlsx", &["打开密码"]);
    refused(world, "13d-html.xls", &["网页", "另存为 .xlsx"]);
}

fn the_addresses_of_units_are_read_as_any_list(world: &World) {
    import(world, "09a-footer.xlsx");
    for (name, addresses) in
        [("14a-units-gbk.csv", "a@example.cn"), ("14b-units-quoted.csv", "a@example.cn b@example.cn")]
    {
        world.done(&["unit", "load", &file(name)]);
        let listed = world.done(&["unit", "list"]);
        let line = listed.lines().find(|line| line.contains("市水利局")).unwrap_or_default();
        assert!(line.contains(addresses) && !line.contains('"'), "{name}: {listed}");
    }
}

fn each_sheet_has_a_date_of_its_own(world: &World) {
    let said = import(world, "20-two-sheets.xlsx");
    assert!(said.contains("工作表“附件1”截至 2026-03-31") && said.contains("工作表“附件2”截至 2026-02-28"), "{said}");
    let measures = measures(world);
    let periods = each(&measures, "/assignments/nodes/0/reports/nodes/0/period");
    assert_eq!(periods, ["2026-03", "2026-03", "2026-03", "2026-02"]);
    assert_eq!(measures[3]["completedOn"], "2026-02-28");
}

/// Imports a ledger of the offices, of a region in the demo's place, and returns how the program ended.
fn of_office(world: &World, name: &str, more: &[&str]) -> crate::support::Ran {
    let path = format!("{}/tests/ledgers/offices/{name}", env!("CARGO_MANIFEST_DIR"));
    let how = ["--round", "演示轮次", "--region", "990100", "--as-of", "2024-06-30", "--create-units"];
    world.run(&[&["import", &path][..], &how, more].concat())
}

/// Enters the regions to which the offices' ledgers belong.
fn regions(world: &World) {
    world.done(&["migrate"]);
    world.done(&["region", "add", "云川省", "--code", "990000", "--parent", "100000"]);
    world.done(&["region", "add", "云溪市", "--code", "990100", "--parent", "990000"]);
    for (name, code) in [("白河县", "990121"), ("青坪县", "990122"), ("东岭县", "990123")] {
        world.done(&["region", "add", name, "--code", code, "--parent", "990100"]);
    }
}

fn unclear_deadlines_are_asked_and_decided(world: &World) {
    regions(world);
    let asked = of_office(world, "6-deadline-forms.xlsx", &[]);
    assert_eq!(asked.code, 1, "{}", asked.out);
    for (form, decision) in [("“6月底前”", "建议：2024年6月30日"), ("收到通知后", "建议：2024-06-30")]
    {
        let is_asked = |line: &str| line.starts_with("请决定：") && line.contains(form) && line.ends_with(decision);
        assert!(asked.out.lines().any(is_asked), "{form}: {}", asked.out);
    }
    assert!(!asked.out.contains("无法识别"), "every form is read or asked: {}", asked.out);
    let decided = world.file("时限.csv", "原文,时限\n6月底前,2024年6月20日\n".as_bytes());
    let done = of_office(world, "6-deadline-forms.xlsx", &["--deadlines", &decided, "--accept"]);
    assert_eq!(done.code, 0, "{}", done.out);
    assert!(done.out.contains("56 个问题、56 条措施"), "{}", done.out);
    let query = "{ measures(first: 100) { nodes { content deadline { raw dueOn ongoing }
        milestones { label dueOn } } } }";
    let data = world.serve().data(query, &json!({}));
    let of = |raw: &str| {
        let all = data["measures"]["nodes"].as_array().unwrap();
        all.iter().find(|one| one["deadline"]["raw"] == raw).unwrap_or_else(|| panic!("no {raw}")).clone()
    };
    for (raw, due, ongoing) in [
        ("2025年上半年", json!("2025-06-30"), false),
        ("2023年第三季度", json!("2023-09-30"), false),
        ("6月底前", json!("2024-06-20"), false),
        ("持续推进", Value::Null, true),
    ] {
        let deadline = &of(raw)["deadline"];
        assert_eq!((&deadline["dueOn"], &deadline["ongoing"]), (&due, &json!(ongoing)), "{raw}");
    }
    let again = of_office(world, "6-deadline-forms.xlsx", &["--deadlines", &decided, "--accept"]);
    assert!(again.out.contains("没有变化"), "{}", again.out);
    let unclear = world.file("不明.csv", "6月底前,年底前\n".as_bytes());
    let refused = of_office(world, "6-deadline-forms.xlsx", &["--deadlines", &unclear]);
    assert!(refused.code != 0 && refused.out.contains("仍不明确"), "{}", refused.out);
}
