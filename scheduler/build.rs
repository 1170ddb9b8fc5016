//! Embeds the templates of mails, so that a new one needs no list.

fn main() {
    minijinja_embed::embed_templates!("templates", &[".mjml", ".txt", ".j2"]);
}
