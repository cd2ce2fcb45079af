//! The fields of the requests about containers, each declared once.

use super::fields::{MOUNT_SOURCE, MOUNT_TARGET};
use crate::rest::field::{Field, Type};

pub(super) const SIZE: &str = r#"{"pattern": "^[1-9][0-9]{0,5}[MG]B?$"}"#;
pub(super) const IMAGE: &str = r#"{"pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]*(/[A-Za-z0-9_:-][A-Za-z0-9._:-]*)*$"}"#;
pub(super) const ENV: &str = r#"{"items": {"type": "string", "maxLength": 8192, "pattern":
    "^([A-SU-Z_][A-Z0-9_]{0,60}|T[B-Z0-9_][A-Z0-9_]{0,60})=[!-~]([ -~]*[!-~])?$"}}"#;
pub(super) const LINES: Field = Field::integer("lines", 1, 2000, "Maximum number of lines; 100 if absent.");
pub(super) const FOLLOW: Field = Field::flag("follow", "Whether to send new lines as they arrive; false if absent.");
pub(super) const IMAGE_FIELD: Field =
    Field::text("image", 128, "The container's image; the framework's or the configured one if absent.").told(IMAGE);
pub(super) const ENV_FIELD: Field =
    Field::texts("env", 64, 8 * 1024, "Environment variables by name. Names that begin with TAOS_ are refused.")
        .told(ENV);
pub(super) const READ_ONLY: Field = Field::flag("read_only", "Whether the mount is read-only; true if absent.");
pub(super) const MOUNTS: Field = Field::of(
    "mounts",
    Type::Objects(&[MOUNT_SOURCE, MOUNT_TARGET, READ_ONLY]),
    "The folders of the box to mount into the container.",
);
pub(super) const CPU_LIMIT: Field = Field::integer("cpu_limit", 1, 64, "The number of processors that it may use.");
pub(super) const STATUS_FIELD: Field =
    Field::word("status", &["deploying", "success", "failed"], "Its state.").required();
pub(super) const MEMORY_LIMIT: Field =
    Field::text("memory_limit", 16, "The memory limit, such as 512M or 2GB.").told(SIZE);
pub(super) const ROOT_SIZE: Field = Field::text("root_size", 16, "The size of the root disk, such as 2G.").told(SIZE);
