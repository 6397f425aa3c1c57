"""Forms that show what no link does: a key of the API that was issued."""


def list_posts(owner):
    return [
        ("/accounts/account/keys/", {"name": "A program"}),
        ("/admin/accounts/apikey/add/", {"name": "A program", "user": owner.pk}),
    ]
