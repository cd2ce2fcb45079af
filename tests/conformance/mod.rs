//! An agent that has never seen the box learns it from the box: it starts with a URL and a token, follows the links of
//! `/docs`, searches, and does what the recipes say. What it has done is looked up over REST, not taken from its word.

mod page;
mod report;
mod scout;

mod a_stranger_finds_its_way;
