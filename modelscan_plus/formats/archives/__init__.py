"""formats/archives"""
