from setuptools import setup

setup(
    name="greeter",
    version="1.2",
    py_modules=["greeter"],
    entry_points={"console_scripts": ["greeter = greeter:main"]},
)
