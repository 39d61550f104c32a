"""Everything that exists for app.py alone: links, a visitor's session, benches, sections, HTML.

It may import every other package, but not Streamlit, which only app.py knows. To add a section of
"Look closer", add its functions and its row to `sections`; to add a bench, its row to `benches`.
"""
