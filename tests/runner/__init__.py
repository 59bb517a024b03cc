"""What `tests/run` and `tests/soak` do: find the suites (`suite`), build what they need (`build`),
start services where asked (`services`), run them (`execute`), sum the results (`junit`, `report`)."""
