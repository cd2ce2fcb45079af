//! The HTTP edge under every input and trouble of the http-edge contract, over real sockets. One scenario a file.

mod support;

mod a_well_behaved_client_is_served;
