"""One call, many responders (一呼多应): incident dispatch and joint defence."""
