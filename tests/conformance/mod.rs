//! An agent that has never seen the box learns how to use it: it starts with a URL and a token, follows the links of
//! `/docs`, searches, and does what the recipes say. The tests look up the result over REST and do not trust the
//! agent's report.

mod page;
mod report;
mod scout;

mod a_stranger_finds_its_way;
