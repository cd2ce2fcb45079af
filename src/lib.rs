//! `taosd`: identity authority and control plane for the AI agents on one small box.
