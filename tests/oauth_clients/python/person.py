"""The browser of the person who lets a program in."""

import re

import requests


class Person:
    def __init__(self, url, token):
        self.url = url
        self.browser = requests.Session()
        self.browser.headers["Sec-Fetch-Site"] = "same-origin"
        self.browser.post(url + "/api/sessions", json={"token": token}).raise_for_status()

    def decide(self, path, act_as, scope):
        self.browser.get(self.url + path).raise_for_status()
        body = {"decision": "allow", "act_as": act_as, "scope": scope}
        answer = self.browser.post(self.url + path, json=body)
        answer.raise_for_status()
        return answer.json()["redirect_to"]

    def allow(self, authorization_url, act_as, scope):
        """Follows a program's link and allows it; the address that leads back to the program."""
        page = requests.get(authorization_url)
        page.raise_for_status()
        return self.decide(re.search(r"/oauth/consent/[\w-]{43}", page.text)[0], act_as, scope)

    def type_code(self, code, act_as, scope):
        answer = self.browser.post(self.url + "/oauth/device", json={"user_code": code})
        answer.raise_for_status()
        return self.decide(answer.json()["redirect_to"], act_as, scope)
