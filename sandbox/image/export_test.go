package image

// DigestOf for the tests.
var DigestOf = digestOf
