"""Who may do what: accounts, tokens, groups, memberships, passwords, single sign-on.

This room says who somebody is and which role they have in a project. It knows no routes and no rooms: which role a verb takes
stands beside the verb, and the door of the server compares the two.
"""
