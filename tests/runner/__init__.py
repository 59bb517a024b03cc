"""What `tests/run` and `tests/soak` do: find the suites (`suite`), build what they need (`build`),
start services where asked (`services`), run them (`execute`), sum what came out (`junit`,
`report`)."""
