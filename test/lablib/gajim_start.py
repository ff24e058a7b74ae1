# SPDX-License-Identifier: MIT
"""Runs in the system's Python beside Gajim, which has it from Debian.

    gajim_start.py settings FOLDER     writes Gajim's settings from FOLDER/account.json
    gajim_start.py notifications FILE  org.freedesktop.Notifications of this session: a line of JSON each into FILE"""
import json
import sys
from pathlib import Path

INTERFACE = """<node><interface name='org.freedesktop.Notifications'>
<method name='GetCapabilities'><arg type='as' direction='out'/></method>
<method name='GetServerInformation'><arg type='s' direction='out'/><arg type='s' direction='out'/><arg type='s' direction='out'/><arg type='s' direction='out'/></method>
<method name='CloseNotification'><arg type='u' direction='in'/></method>
<method name='Notify'><arg type='s' direction='in'/><arg type='u' direction='in'/><arg type='s' direction='in'/><arg type='s' direction='in'/>
<arg type='s' direction='in'/><arg type='as' direction='in'/><arg type='a{sv}' direction='in'/><arg type='i' direction='in'/><arg type='u' direction='out'/></method>
</interface></node>"""


def settings(folder):
    from gajim.common import app, configpaths
    from gajim.common.settings import Settings
    wish = json.loads((folder / "account.json").read_text())
    configpaths.set_config_root(str(folder / "config"))
    configpaths.init()
    configpaths.create_paths()
    app.settings = Settings()
    app.settings.init()
    for name, value in wish["app"].items():
        app.settings.set_app_setting(name, value)
    app.settings.add_account("lab")
    for name, value in wish["account"].items():
        app.settings.set_account_setting("lab", name, value)
    app.settings._commit(schedule=False)
    (Path(configpaths.get("CERT_STORE")) / "peer").write_text(Path(wish["certificate"]).read_text())


def notifications(path):
    from gi.repository import Gio, GLib
    node = Gio.DBusNodeInfo.new_for_xml(INTERFACE)
    count = [0]

    def on_call(_connection, _sender, _path, _interface, method, given, call):
        if method == "Notify":
            count[0] += 1
            values = given.unpack()
            with open(path, "a", encoding="utf-8") as out:
                out.write(json.dumps({"summary": values[3], "body": values[4]}) + "\n")
            call.return_value(GLib.Variant("(u)", (count[0],)))
        elif method == "GetCapabilities":
            call.return_value(GLib.Variant("(as)", (["body", "actions"],)))
        elif method == "GetServerInformation":
            call.return_value(GLib.Variant("(ssss)", ("lab", "lab", "1", "1.2")))
        else:
            call.return_value(None)

    def on_name(connection, _name):
        connection.register_object("/org/freedesktop/Notifications", node.interfaces[0], on_call, None, None)
        Path(path).touch()
    Gio.bus_own_name(Gio.BusType.SESSION, "org.freedesktop.Notifications", Gio.BusNameOwnerFlags.NONE, on_name, None, lambda *_: sys.exit(1))
    GLib.MainLoop().run()


if __name__ == "__main__":
    {"settings": settings, "notifications": notifications}[sys.argv[1]](Path(sys.argv[2]))
